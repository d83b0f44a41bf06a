"""Bring a frame to a size: by its aspect into a box with borders (letterbox), or by force (stretch).

Images are area-averaged when they shrink and interpolated bilinearly when they grow. Labels are only ever picked: the
label of output pixel i is the label under its centre, source pixel floor((i + 0.5) * source / target).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.labels import IGNORE_INDEX

RESIZES = ("letterbox", "stretch")


@dataclass(frozen=True)
class Box:
    """Where a frame lies inside a larger canvas, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for `canvas[box.slices]`."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def check_resize(resize: str) -> str:
    """Return `resize`, or raise DataError if there is no such way."""
    if resize not in RESIZES:
        raise DataError(f"no resize '{resize}'; choose one of {', '.join(RESIZES)}")
    return resize


def fit_box(native_size: tuple[int, int], size: tuple[int, int], resize: str = "letterbox") -> Box:
    """Return where a frame of `native_size` lies in a canvas of `size`, both (height, width).

    Args:
        resize: "letterbox" keeps the aspect and centres the frame, "stretch" fills the canvas.
    """
    height, width = size
    if check_resize(resize) == "stretch":
        return Box(0, 0, height, width)
    scale = min(height / native_size[0], width / native_size[1])
    inner = (
        min(height, max(1, round(native_size[0] * scale))),
        min(width, max(1, round(native_size[1] * scale))),
    )
    return Box((height - inner[0]) // 2, (width - inner[1]) // 2, *inner)


def resize_image(image: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None) -> np.ndarray:
    """Return a uint8 image (H, W, 3) at `size` (height, width): area average where an axis shrinks, else bilinear.

    Args:
        out: written to and returned where it is given.
    """
    height, width = size
    shrinks = height <= image.shape[0], width <= image.shape[1]
    if shrinks == (True, False):  # OpenCV's area mode is bilinear on both axes as soon as one of them grows
        image = cv2.resize(image, (image.shape[1], height), interpolation=cv2.INTER_AREA)
    elif shrinks == (False, True):
        image = cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        return cv2.resize(
            image, (width, height), out, interpolation=cv2.INTER_AREA if all(shrinks) else cv2.INTER_LINEAR
        )
    if out is None:
        return image
    out[:] = image
    return out


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return labels or a mask (H, W) of any integer type at `size` (height, width), by nearest neighbour."""
    for axis, target in enumerate(size):
        source = labels.shape[axis]
        if target != source:
            # In whole numbers: OpenCV's nearest modes either round down or differ by one where centres meet an edge.
            labels = labels.take((2 * np.arange(target) + 1) * source // (2 * target), axis=axis)
    return labels


def letterbox(image: np.ndarray, size: tuple[int, int], resize: str = "letterbox") -> tuple[np.ndarray, Box]:
    """Return a uint8 image (H, W, 3) at `size`, black outside the box, and the box that it fills."""
    box = fit_box(image.shape[:2], size, resize)
    return paste(resize_image(image, (box.height, box.width)), size, box, 0), box


def letterbox_labels(labels: np.ndarray, size: tuple[int, int], resize: str = "letterbox") -> np.ndarray:
    """Return labels (H, W) at `size`, in the box where `letterbox` puts their image; 255 outside."""
    box = fit_box(labels.shape[:2], size, resize)
    return paste(resize_labels(labels, (box.height, box.width)), size, box, IGNORE_INDEX)


def paste(array: np.ndarray, size: tuple[int, int], box: Box, fill: int) -> np.ndarray:
    """Return a canvas of `size` filled with `fill` around `array` in `box`; the array itself where it fills it."""
    if array.shape[:2] == tuple(size):
        return array
    canvas = np.full((*size, *array.shape[2:]), fill, array.dtype)
    canvas[box.slices] = array
    return canvas
