"""Words on pictures, and keys to the classes' colours: one font, one ink, for every picture that we draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

Color = tuple[int, int, int]
PAPER, INK, SOFT = (250, 250, 250), (30, 30, 30), (110, 110, 110)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def new_paper(height: int, width: int) -> np.ndarray:
    """Return an empty picture, uint8 (height, width, 3) RGB."""
    return np.full((height, width, 3), PAPER, np.uint8)


def write(
    picture: np.ndarray, text: str, place: tuple[int, int], scale: float, color: Color = INK, thickness: int = 1
) -> None:
    """Write text whose lower left corner lies at `place`, (x, y)."""
    cv2.putText(picture, text, place, _FONT, scale, color, thickness, cv2.LINE_AA)


def measure(text: str, scale: float, thickness: int = 1) -> int:
    """Return how many pixels wide a text is."""
    return int(cv2.getTextSize(text, _FONT, scale, thickness)[0][0])


def draw_line_key(entries: Iterable[tuple[str, Color]], width: int, scale: float) -> np.ndarray:
    """Return uint8 (H, width, 3): swatches with their names side by side, in as many lines as they need."""
    step, left, box = round(46 * scale), round(12 * scale), round(24 * scale)
    places, x, y = [], left, round(6 * scale)
    for text, color in entries:
        across = measure(text, scale) + round(62 * scale)
        if x > left and x + across > width:
            x, y = left, y + step
        places.append((text, color, x, y))
        x += across
    key = new_paper(y + step, width)
    for text, color, x, y in places:
        corners = (x, y + 2), (x + box, y + 2 + box)
        cv2.rectangle(key, *corners, color, -1)
        cv2.rectangle(key, *corners, SOFT, 1)
        write(key, text, (x + round(34 * scale), y + round(22 * scale)), scale)
    return key


def draw_column_key(entries: Sequence[tuple[str, Color | None]], row: int, height: int | None = None) -> np.ndarray:
    """Return uint8 (H, W, 3): swatches with their names below each other; an empty swatch where there is no colour.

    Args:
        entries: (name, colour).
        row: pixels that a line is high.
        height: of the whole; as high as the lines are when None.
    """
    scale, thickness = row / 34, max(1, row // 20)
    width = max((measure(text, scale, thickness) for text, _ in entries), default=0) + 2 * row
    key = new_paper(row * len(entries) + row // 2 if height is None else height, width)
    for line, (text, color) in enumerate(entries):
        top = row // 4 + line * row
        corners = (row // 2, top + row // 8), (row * 5 // 4, top + row * 7 // 8)
        cv2.rectangle(key, *corners, color or SOFT, thickness if color is None else -1)
        write(key, text, (row * 3 // 2, top + row * 3 // 4), scale, thickness=thickness)
    return key
