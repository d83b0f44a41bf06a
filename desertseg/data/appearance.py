"""Colour and texture of a frame in a few numbers, so that two deserts can be compared without a network."""

from __future__ import annotations

import cv2
import numpy as np

NAMES = (
    *("red", "green", "blue"),
    *("red spread", "green spread", "blue spread"),
    *("saturation", "warmth", "fine texture", "coarse texture"),
)
_COARSE = 4  # by which a frame is reduced for its coarse texture


def describe_image(image: np.ndarray) -> np.ndarray:
    """Return float32 (10,): what `NAMES` lists, all of intensities in [0, 1].

    Means and standard deviations of the channels; the mean saturation, (max - min) / max; the mean of red minus blue;
    and the root mean square of the brightness' gradient between neighbouring pixels, of the frame and of the frame
    reduced to a quarter. The texture depends on the frame's size, so compare frames of one size.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    values = image.astype(np.float32) / 255
    high, low = values.max(axis=2), values.min(axis=2)
    saturation = np.divide(high - low, high, out=np.zeros_like(high), where=high > 0)
    means, spreads = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
    gray = values @ np.array([0.299, 0.587, 0.114], np.float32)
    smaller = max(1, image.shape[1] // _COARSE), max(1, image.shape[0] // _COARSE)
    coarse = cv2.resize(gray, smaller, interpolation=cv2.INTER_AREA)
    textures = _gradient(gray), _gradient(coarse)
    return np.array([*means, *spreads, saturation.mean(), means[0] - means[2], *textures], np.float32)


def _gradient(gray: np.ndarray) -> float:
    """Return the root mean square difference of neighbours in a float32 picture (H, W), 0 where there is none."""
    squares = [float(np.square(np.diff(gray, axis=axis)).mean()) if gray.shape[axis] > 1 else 0.0 for axis in (0, 1)]
    return float(np.sqrt(sum(squares)))
