"""The frames of a labelled video: tinted, with a key to the colours inside, since a video keeps its size."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.labels import LabelMap
from desertseg.report.lettering import draw_column_key
from desertseg.report.overlay import tint_labels

_SMALLEST = 240  # rows of a frame below which a key could not be read
_OPACITY = 0.75


class Film:
    """Draws the frames of one video, all with the same key in the lower left corner.

    Args:
        label_map: gives colours and names.
        size: (height, width) of the frames; small ones get no key.
    """

    def __init__(self, label_map: LabelMap, size: tuple[int, int]) -> None:
        self.label_map = label_map
        key = _draw_key(label_map, size[0]) if size[0] >= _SMALLEST else None
        fits = key is not None and key.shape[0] <= size[0] // 2 and key.shape[1] <= size[1] // 2
        self._key = key if fits else None

    def draw(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return uint8 (H, W, 3) RGB from a frame and its labels, uint8 (H, W)."""
        drawn = tint_labels(image, labels, self.label_map)
        if self._key is not None:
            height, width = self._key.shape[:2]
            corner = drawn[-height:, :width]
            corner[:] = cv2.addWeighted(corner, 1 - _OPACITY, self._key, _OPACITY, 0)
        return drawn


def _draw_key(label_map: LabelMap, height: int) -> np.ndarray:
    """Return uint8 (h, w, 3): a swatch and a name for every class, in the map's order."""
    row = max(12, height // 32)
    return draw_column_key([(c.name, c.color) for c in label_map.classes], row)
