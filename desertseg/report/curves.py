"""A training by epoch as PNG: loss, mean IoU, overfit gap, learning rate, and the IoU of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from desertseg.labels import LabelMap
from desertseg.report.figure import GREY, new_figure, tidy

_TRAIN, _VAL, _EMA = "#c4783c", "#2b6f9e", "#5b8c3a"
_MEAN = -1  # beside the class indices
_DASHED = (0, (4, 2))
_SERIES = (
    ("{}", "train, at training size", _TRAIN),
    ("val_{}", "val, at native size", _VAL),
    ("ema_val_{}", "val, averaged weights", _EMA),
)


def draw_curves(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write loss, mean IoU, overfit gap and learning rate by epoch as a PNG, the best epoch marked.

    Args:
        path: the file.
        history: rows as history.json holds them; what has no value leaves a gap in its line.
    """
    epochs = [row["epoch"] for row in history]
    figure = new_figure(11, 6.4)
    (losses, ious), (gaps, rates) = figure.subplots(2, 2, sharex=True)
    for axes, key in ((losses, "loss"), (ious, "miou")):
        for pattern, label, color in _SERIES:
            values = _column(history, pattern.format(key))
            if np.isfinite(values).any():
                axes.plot(epochs, values, label=label, color=color, **_style(epochs))
        if axes.lines:
            axes.legend(frameon=False, fontsize=9)
    losses.set_title("Loss")
    _mark_best(ious, history, epochs)
    _draw_gap(gaps, _column(history, "miou") - _column(history, "val_miou"), epochs)
    rates.plot(epochs, _column(history, "learning_rate"), color=GREY, **_style(epochs))
    rates.set_title("Learning rate at the epoch's end")
    rates.set_ylim(bottom=0)
    rates.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    for axes in (losses, ious, gaps, rates):
        _count_epochs(axes, epochs)
    for axes in (gaps, rates):
        axes.set_xlabel("epoch")
    figure.savefig(path, dpi=110)


def draw_class_history(path: Path, history: Sequence[Mapping[str, Any]], labels: LabelMap) -> None:
    """Write the validation IoU of each class by epoch as a PNG, in the classes' own colours, each named at its end.

    An epoch that was judged on averaged (EMA) weights shows theirs.

    Args:
        path: the file.
        history: rows as history.json holds them.
        labels: the label map of the run.
    """
    epochs = [row["epoch"] for row in history]
    values = np.array([_classes(row, labels.names) for row in history])
    figure = new_figure(9.5, max(4.2, 0.3 * labels.num_classes + 2.0))
    axes = figure.subplots()
    ends = {}
    for index, color in enumerate(labels.colors / 255):
        known = np.flatnonzero(np.isfinite(values[:, index]))
        if known.size:
            casing = [Stroke(linewidth=3.4, foreground="#333333"), Normal()]  # pale colours need an edge on white
            axes.plot(epochs, values[:, index], color=color, lw=2.2, path_effects=casing, **_style(epochs))
            ends[index] = values[known[-1], index]
    means = [_judged(row, "val_miou") for row in history]
    mean = np.array([np.nan if m is None else m for m in means], np.float64)
    axes.plot(epochs, mean, color="black", lw=1.6, ls=_DASHED, zorder=5, **_style(epochs))
    named = {i: (labels.names[i], value) for i, value in ends.items()}
    if np.isfinite(mean).any():
        named[_MEAN] = ("mean IoU", mean[np.isfinite(mean)][-1])
    _count_epochs(axes, epochs)
    _name_ends(axes, named, labels, figure.get_figheight())
    absent = [n for i, n in enumerate(labels.names) if i not in ends]
    note = f"   (absent from the masks: {', '.join(absent)})" if absent else ""
    axes.set_title(f"IoU of each class, val at native size{note}", fontsize=11)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("epoch")
    figure.savefig(path, dpi=110)


def _column(history: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    """Return a column as float64, NaN where a row has no value."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in history], np.float64)


def _style(epochs: Sequence[int]) -> dict[str, Any]:
    return {"marker": "o", "markersize": 4} if len(epochs) < 3 else {}


def _count_epochs(axes: Any, epochs: Sequence[int]) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    tidy(axes)


def _mark_best(axes: Any, history: Sequence[Mapping[str, Any]], epochs: Sequence[int]) -> None:
    """Mark the highest validation mean IoU and say it in the title."""
    axes.set_title("Mean IoU")
    both = np.array([_column(history, "val_miou"), _column(history, "ema_val_miou")])
    axes.set_ylim(bottom=0)
    if np.isfinite(both).any():
        which, at = divmod(int(np.nanargmax(both)), len(epochs))
        best = both[which, at]
        axes.plot(epochs[at], best, "o", color=(_VAL, _EMA)[which], zorder=5)
        axes.set_title(f"Mean IoU: best {best:.4f} in epoch {epochs[at]}")


def _draw_gap(axes: Any, gap: np.ndarray, epochs: Sequence[int]) -> None:
    """Draw how much better the training frames are known, shaded where they are."""
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.plot(epochs, gap, color="#8c3a4f", **_style(epochs))
    axes.fill_between(epochs, gap, 0, where=gap > 0, interpolate=True, color="#8c3a4f", alpha=0.15)
    known = gap[np.isfinite(gap)]
    axes.set_title(f"Overfit gap, train - val mIoU: now {known[-1]:+.4f}" if known.size else "Overfit gap")
    if known.size:
        room = 0.15 * max(0.02, np.ptp(known))
        axes.set_ylim(min(0, known.min()) - room, max(0, known.max()) + room)


def _judged(row: Mapping[str, Any], key: str) -> Any:
    """Return a validation value of the weights that the epoch was judged on, None if there is none."""
    return row.get(f"ema_{key}") if row.get("weights") == "ema" else row.get(key)


def _classes(row: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    found = _judged(row, "val_iou") or {}
    return [np.nan if found.get(n) is None else found[n] for n in names]


def _name_ends(axes: Any, named: dict[int, tuple[str, float]], labels: LabelMap, inches: float) -> None:
    """Write each line's name and last value beside its end, moved apart where lines end close together."""
    order = sorted(named, key=lambda i: named[i][1])
    places = _spread([named[i][1] for i in order], step=0.2 / (inches - 1.2))  # a line of text is 0.2 inches high
    low, high = axes.get_xlim()
    end = (high - 0.5 - low) / (high - low)
    beside = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for index, place in zip(order, places, strict=True):
        name, value = named[index]
        axes.plot([end, 1.03], [value, place], color="#aaaaaa", lw=0.8, zorder=1, **beside)
        if index == _MEAN:
            axes.plot([1.02, 1.042], [place, place], color="black", lw=1.6, ls=_DASHED, **beside)
        else:
            color = labels.colors[index] / 255
            axes.plot(1.031, place, "s", ms=8, color=color, mec="#333333", mew=0.6, **beside)
        axes.text(1.05, place, f"{value:.3f}  {name}", va="center", fontsize=9, transform=axes.get_yaxis_transform())


def _spread(values: Sequence[float], step: float) -> list[float]:
    """Return places in 0..1 for ascending values, `step` apart, each group that had to part centred on its own."""
    groups: list[list[float]] = []  # each: the sum of (value - rank * step), and how many
    for rank, value in enumerate(values):
        groups.append([value - rank * step, 1])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += count
    starts = [total / count for total, count in groups for _ in range(int(count))]
    highest = 1 - len(starts) * step
    return [min(max(start, 0), highest + step) + rank * step for rank, start in enumerate(starts)]
