"""Scores as PNG: IoU per class, confusion matrix. Drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from desertseg.labels import LabelMap
from desertseg.metrics.confusion import Scores
from desertseg.report.figure import GREY, new_figure, tidy


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
