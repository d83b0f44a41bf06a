"""Plots as PNG: training curves, IoU per class, confusion matrix. Drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from desertseg.labels import LabelMap
from desertseg.metrics.confusion import Scores

_GREY = "#555555"


def _figure(width: float, height: float) -> Figure:
    """Return a figure that draws without pyplot, whose global state no library should touch."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="both", alpha=0.25)
    axes.set_axisbelow(True)


def draw_curves(path: Path, history: Sequence[dict[str, Any]]) -> None:
    """Write loss, mean IoU and learning rate by epoch as a PNG, the best epoch marked.

    Args:
        path: the file.
        history: rows as history.json holds them.
    """
    epochs = [row["epoch"] for row in history]
    figure = _figure(12, 3.6)
    losses, ious, rates = figure.subplots(1, 3)
    marker = "o" if len(epochs) == 1 else None
    for axes, key, title in ((losses, "loss", "Loss"), (ious, "miou", "Mean IoU")):
        axes.plot(
            epochs, [row[key] for row in history], label="train, at training size", color="#c4783c", marker=marker
        )
        axes.plot(
            epochs, [row[f"val_{key}"] for row in history], label="val, at native size", color="#2b6f9e", marker=marker
        )
        axes.set_title(title)
        axes.legend(frameon=False)
    best = max(history, key=lambda row: np.nan_to_num(row["val_miou"], nan=-1.0))
    ious.plot(best["epoch"], best["val_miou"], "o", color="#2b6f9e")
    ious.set_title(f"Mean IoU: best {best['val_miou']:.4f} in epoch {best['epoch']}")
    rates.plot(epochs, [row["learning_rate"] for row in history], color=_GREY, marker=marker)
    rates.set_title("Learning rate at the epoch's end")
    for axes in (losses, ious, rates):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _tidy(axes)
    ious.set_ylim(bottom=0)
    figure.savefig(path, dpi=110)


def draw_per_class(path: Path, scores: Scores, labels: LabelMap) -> None:
    """Write IoU by class as a bar chart, in the classes' own colours, with each class's share of the pixels."""
    figure = _figure(8, 0.42 * labels.num_classes + 1.4)
    axes = figure.subplots()
    positions = np.arange(labels.num_classes)
    values = np.nan_to_num(scores.per_class_iou)
    axes.barh(positions, values, color=labels.colors / 255, edgecolor="#333333", linewidth=0.6)
    total = max(1, int(scores.pixels.sum()))
    for y, iou, pixels in zip(positions, scores.per_class_iou, scores.pixels, strict=True):
        text = f"{iou:.3f}  ({100 * pixels / total:.2f}% of pixels)" if pixels else "absent from the truth"
        place = (float(np.nan_to_num(iou)) + 0.015, float(y))
        axes.text(*place, text, va="center", fontsize=8, color=_GREY, bbox={"facecolor": "white", "lw": 0, "pad": 1})
    axes.axvline(np.nan_to_num(scores.miou), color="black", linestyle="--", linewidth=1, zorder=1.5)
    axes.set_yticks(positions, labels.names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel("IoU")
    axes.set_title(f"{scores.definition}: {scores.miou:.4f}", fontsize=10)
    _tidy(axes)
    figure.savefig(path, dpi=110)


def draw_confusion(path: Path, confusion: np.ndarray, names: Sequence[str]) -> None:
    """Write a confusion matrix as a PNG: each cell is the percentage of its row, that is of the true class's pixels.

    Args:
        path: the file.
        confusion: int64 (C, C), truth in rows, prediction in columns.
        names: C class names.
    """
    totals = confusion.sum(1, keepdims=True)
    share = confusion / np.maximum(totals, 1)
    side = 0.62 * len(names) + 2.4
    figure = _figure(side, side)
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(share.shape):
        text = f"{100 * share[row, column]:.0f}" if share[row, column] >= 0.005 else ""
        text = text if totals[row] else "–"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[row, column] > 0.55 else "black",
        )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    axes.set_title("Confusion, % of the true class's pixels", fontsize=10)
    figure.savefig(path, dpi=110)
