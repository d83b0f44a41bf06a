"""A frame with its labels laid over it, and a legend of the classes that it shows."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX, LabelMap

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_overlay(image: np.ndarray, labels: np.ndarray, label_map: LabelMap, alpha: float = 0.55) -> np.ndarray:
    """Return uint8 (H, W + legend, 3) RGB: the frame tinted with the class colours, class borders drawn, legend right.

    Args:
        image: uint8 (H, W, 3) RGB.
        labels: uint8 (H, W), 255 = ignore, which is left untinted.
        label_map: gives colours and names.
        alpha: opacity of the tint, 0 to 1.
    """
    tinted = cv2.addWeighted(image, 1 - alpha, label_map.colorize(labels), alpha, 0)
    keep = labels == IGNORE_INDEX
    tinted[keep] = image[keep]
    borders = np.zeros(labels.shape, bool)
    borders[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    borders[1:] |= labels[1:] != labels[:-1]
    tinted[borders] = (tinted[borders] * 0.45).astype(np.uint8)
    return np.hstack([tinted, draw_legend(labels, label_map, image.shape[0])])


def draw_legend(labels: np.ndarray, label_map: LabelMap, height: int) -> np.ndarray:
    """Return uint8 (height, width, 3): a swatch, name and pixel share for every class present, most frequent first."""
    counts = np.bincount(labels.ravel(), minlength=256)[: label_map.num_classes]
    present = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    row = int(np.clip(height / (len(present) + 1), 10, max(18, height / 20)))
    scale, thickness = row / 34, max(1, row // 20)
    texts = [f"{label_map.names[i]}  {100 * counts[i] / labels.size:.1f}%" for i in present]
    width = max((cv2.getTextSize(t, _FONT, scale, thickness)[0][0] for t in texts), default=0) + 2 * row
    legend = np.full((height, width, 3), 250, np.uint8)
    for line, (index, text) in enumerate(zip(present, texts, strict=True)):
        top = row // 2 + line * row
        color = tuple(int(v) for v in label_map.colors[index])
        cv2.rectangle(legend, (row // 2, top), (row // 2 + row * 3 // 4, top + row * 3 // 4), color, -1)
        cv2.putText(
            legend, text, (row * 3 // 2, top + row * 5 // 8), _FONT, scale, (30, 30, 30), thickness, cv2.LINE_AA
        )
    return legend
