"""Colours as numbers, and a table from each of them to a class: how a colour-coded mask is read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def pack_colors(rgb: np.ndarray) -> np.ndarray:
    """Return uint8 RGB (..., 3) as one int32 a pixel."""
    rgb = rgb.astype(np.int32)
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


@lru_cache(maxsize=2)
def index_colors(colors: tuple[tuple[int, int, int], ...], black: int, other: int) -> np.ndarray:
    """Return the index of each of the 2^24 packed colours; 16 MB, so it is made only where colours are read.

    Args:
        colors: of the classes, in index order.
        black: what black gets if no class has it.
        other: what every other colour gets.
    """
    table = np.full(1 << 24, other, np.uint8)
    table[0] = black
    table[pack_colors(np.array(colors, np.uint8))] = np.arange(len(colors))
    return table
