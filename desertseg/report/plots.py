"""Scores as PNG: IoU per class, four scores per class, confusion matrix. Drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.labels import LabelMap
from desertseg.metrics.confusion import Scores
from desertseg.report.figure import GREY, new_figure, tidy

_METRICS = (
    ("iou", "IoU", "#1f5f8b"),
    ("precision", "precision", "#c4783c"),
    ("recall", "recall", "#7aa65a"),
    ("dice", "Dice", "#9aa3ab"),
)


def draw_per_class(path: Path, scores: Scores, labels: LabelMap) -> None:
    """Write IoU by class as a bar chart, in the classes' own colours, with each class's share of the pixels."""
    figure = new_figure(8, 0.42 * labels.num_classes + 1.4)
    axes = figure.subplots()
    positions = np.arange(labels.num_classes)
    values = np.nan_to_num(scores.per_class_iou)
    axes.barh(positions, values, color=labels.colors / 255, edgecolor="#333333", linewidth=0.6)
    total = max(1, int(scores.pixels.sum()))
    for y, iou, pixels in zip(positions, scores.per_class_iou, scores.pixels, strict=True):
        text = f"{iou:.3f}  ({100 * pixels / total:.2f}% of pixels)" if pixels else "absent from the truth"
        place = (float(np.nan_to_num(iou)) + 0.015, float(y))
        axes.text(*place, text, va="center", fontsize=8, color=GREY, bbox={"facecolor": "white", "lw": 0, "pad": 1})
    axes.axvline(np.nan_to_num(scores.miou), color="black", linestyle="--", linewidth=1, zorder=1.5)
    axes.set_yticks(positions, labels.names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel("IoU")
    axes.set_title(f"{scores.definition}: {scores.miou:.4f}", fontsize=10)
    tidy(axes)
    figure.savefig(path, dpi=110)


def draw_class_metrics(path: Path, scores: Scores | Mapping[str, Any]) -> None:
    """Write IoU, precision, recall and Dice by class as grouped bars, each mean as a line: `per_class_metrics.png`.

    Args:
        path: the file.
        scores: of an evaluation, or its `to_dict` with "per_class_iou", "per_class_precision" and so on.
    """
    values = scores if isinstance(scores, Mapping) else scores.to_dict()
    names = list(values["per_class_iou"])
    figure = new_figure(max(8.0, 0.95 * len(names) + 1.6), 4.8)
    axes = figure.subplots()
    for place, (key, title, color) in enumerate(_METRICS):
        found = [values[f"per_class_{key}"][name] for name in names]
        heights = np.array([np.nan if v is None else v for v in found], np.float64)
        across = np.arange(len(names)) + 0.2 * (place - 1.5)
        axes.bar(across, np.nan_to_num(heights), 0.18, color=color, label=title, edgecolor="#333333", linewidth=0.4)
        for x in across[~np.isfinite(heights)]:
            axes.text(x, 0.01, "–", ha="center", fontsize=7, color=GREY)
    mean = values["miou"] or 0.0
    axes.axhline(mean, color="black", linestyle="--", linewidth=1, label=f"mIoU {mean:.4f}")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylim(0, 1)
    axes.set_title(str(values["definition"]), fontsize=10, loc="left")
    tidy(axes)
    axes.grid(visible=False, axis="x")
    axes.legend(frameon=False, fontsize=9, ncols=5, loc="lower right", bbox_to_anchor=(1, 1.05))
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
    figure = new_figure(side, side)
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
