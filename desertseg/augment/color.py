"""Colour matrix, gamma and sensor noise: pointwise, one pixel at a time."""

from __future__ import annotations

import numpy as np
from keras import ops

_TILE = 256


def adjust_color(images, matrix):
    """Return each sample's pixels mapped by its colour matrix: rgb' = matrix[:, :3] @ rgb + matrix[:, 3], unclipped.

    Written out, because a matrix product may run in a lower precision on an accelerator, and is slow on a CPU.

    Args:
        images: float32 (B, H, W, 3).
        matrix: float32 (B, 3, 4), its last column on the scale of the images.
    """
    red, green, blue, added = (matrix[:, None, None, :, column] for column in range(4))
    return images[..., 0:1] * red + images[..., 1:2] * green + images[..., 2:3] * blue + added


def luma(images):
    """Return the luminance (..., 1) of RGB (..., 3), after ITU-R BT.601.

    Written out, as `brightest` is: on a CPU XLA takes forty times as long for a reduction over three channels.
    """
    return 0.299 * images[..., 0:1] + 0.587 * images[..., 1:2] + 0.114 * images[..., 2:3]


def brightest(images):
    """Return the greatest channel (..., 1) of RGB (..., 3)."""
    return ops.maximum(ops.maximum(images[..., 0:1], images[..., 1:2]), images[..., 2:3])


def adjust_gamma(images, gamma):
    """Return 255 (images / 255) ** gamma; a sample whose gamma is 1 is returned as it is.

    Args:
        images: float32 (B, H, W, 3) in [0, 255].
        gamma: float32 (B,), above 0.
    """
    gamma = gamma[:, None, None, None]
    return ops.where(gamma == 1, images, 255 * (images / 255) ** gamma)


def add_noise(images, deviation, offset):
    """Return images with normal noise of a constant tile, which each sample reads from its own offset.

    No generator runs on the device, so every backend adds the same numbers.

    Args:
        images: float32 (B, H, W, 3).
        deviation: float32 (B,), standard deviation on the scale of the images.
        offset: int32 (B, 2), row and column of the tile, which repeats after 256.
    """
    _, height, width, _ = images.shape
    offset = offset[:, :, None]
    rows = (offset[:, 0] + np.arange(height, dtype=np.int32)) % _TILE
    columns = (offset[:, 1] + np.arange(width, dtype=np.int32)) % _TILE
    index = rows[:, :, None] * _TILE + columns[:, None, :]
    return images + deviation[:, None, None, None] * ops.take(ops.convert_to_tensor(noise_tile()), index, axis=0)


def noise_tile() -> np.ndarray:
    """Return the constant tile: standard-normal float32 (256 * 256, 3), row by row."""
    return np.random.default_rng(256).standard_normal((_TILE * _TILE, 3), np.float32)
