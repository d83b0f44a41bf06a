"""A frame with its labels laid over it, and a legend of the classes that it shows."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.report.lettering import Color, draw_column_key

_ROWS = 256  # drawn at a time, so that a huge frame needs no room for steps in between
_BORDER = 0.45  # brightness of a pixel on a border between classes


def draw_overlay(image: np.ndarray, labels: np.ndarray, label_map: LabelMap, alpha: float = 0.55) -> np.ndarray:
    """Return uint8 (H, W + legend, 3) RGB: the frame tinted with the class colours, class borders drawn, legend right.

    Args:
        image: uint8 (H, W, 3) RGB.
        labels: uint8 (H, W), 255 = ignore, which is left untinted.
        label_map: gives colours and names.
        alpha: opacity of the tint, 0 to 1.
    """
    legend = draw_legend(labels, label_map, image.shape[0])
    width = image.shape[1]
    overlay = np.empty((image.shape[0], width + legend.shape[1], 3), np.uint8)
    overlay[:, width:] = legend
    tint_labels(image, labels, label_map, alpha, out=overlay[:, :width])
    return overlay


def tint_labels(
    image: np.ndarray, labels: np.ndarray, label_map: LabelMap, alpha: float = 0.55, out: np.ndarray | None = None
) -> np.ndarray:
    """Return uint8 (H, W, 3) RGB: what `draw_overlay` draws, without the legend; in `out` where it is given."""
    out = np.empty_like(image) if out is None else out
    for top in range(0, image.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        above = labels[top - 1] if top else labels[0]
        out[rows] = _tint(image[rows], labels[rows], above, label_map, alpha)
    return out


def _tint(image: np.ndarray, labels: np.ndarray, above: np.ndarray, label_map: LabelMap, alpha: float) -> np.ndarray:
    """Return a strip of the frame in its classes' colours; `above` are the labels of the row before it."""
    tinted = cv2.addWeighted(image, 1 - alpha, label_map.colorize(labels), alpha, 0)
    unknown = labels == IGNORE_INDEX
    if unknown.any():
        tinted[unknown] = image[unknown]
    borders = np.zeros(labels.shape, np.uint8)
    borders[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    borders[1:] |= labels[1:] != labels[:-1]
    borders[0] |= labels[0] != above
    return cv2.copyTo(cv2.convertScaleAbs(tinted, alpha=_BORDER), borders, tinted)


def draw_legend(labels: np.ndarray, label_map: LabelMap, height: int) -> np.ndarray:
    """Return uint8 (height, width, 3): a swatch, name and pixel share for every class present, most frequent first.

    What is unknown comes last, with an empty swatch.
    """
    counts = np.bincount(labels.ravel(), minlength=256)
    present = [i for i in np.argsort(-counts[: label_map.num_classes], kind="stable") if counts[i]]
    present += [IGNORE_INDEX] if counts[IGNORE_INDEX] else []
    row = int(np.clip(height / (len(present) + 1), 10, max(18, height / 20)))
    entries: list[tuple[str, Color | None]] = []
    for i in present:
        name, color = ("unknown", None) if i == IGNORE_INDEX else (label_map.names[i], label_map.classes[i].color)
        entries.append((f"{name}  {_percent(counts[i] / labels.size)}", color))
    return draw_column_key(entries, row, height)


def _percent(share: float) -> str:
    """A share with one decimal; what is there at all is not shown as nothing."""
    return "<0.1%" if share < 0.0005 else f"{100 * share:.1f}%"
