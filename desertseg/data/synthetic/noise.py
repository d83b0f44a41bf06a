"""Random numbers and tileable noise, the raw material of every texture."""

from __future__ import annotations

import zlib

import cv2
import numpy as np


def make_rng(*keys: int | str) -> np.random.Generator:
    """Return a generator that depends on the keys alone: the same in every run and every process."""
    words = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def upsample_tile(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a small periodic grid as a smooth periodic float32 array of `size`, a multiple of the grid's shape."""
    fy, fx = size[0] // grid.shape[0], size[1] // grid.shape[1]
    padded = np.pad(grid, 2, mode="wrap").astype(np.float32)
    big = cv2.resize(padded, (padded.shape[1] * fx, padded.shape[0] * fy), interpolation=cv2.INTER_CUBIC)
    return big[2 * fy : 2 * fy + size[0], 2 * fx : 2 * fx + size[1]]


def draw_noise(
    rng: np.random.Generator,
    size: int | tuple[int, int],
    cells: int | tuple[int, int],
    octaves: int = 5,
    gain: float = 0.5,
) -> np.ndarray:
    """Return periodic fractal noise with mean 0 and standard deviation 1, float32.

    Args:
        rng: where the grids come from.
        size: (height, width), powers of two times `cells`.
        cells: cells of the coarsest grid (rows, columns); each octave doubles them until a cell is one pixel.
        octaves: number of grids.
        gain: amplitude of an octave relative to the one before.
    """
    height, width = (size, size) if isinstance(size, int) else size
    rows, columns = (cells, cells) if isinstance(cells, int) else cells
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        if rows > height or columns > width:
            break
        total += gain**octave * upsample_tile(rng.random((rows, columns), np.float32) - 0.5, (height, width))
        rows, columns = rows * 2, columns * 2
    return (total - total.mean()) / (total.std() + 1e-6)


def rank_uniform(values: np.ndarray) -> np.ndarray:
    """Return values mapped to 0..255 so that each level is equally frequent: a threshold is then a share."""
    levels = np.quantile(values[::4, ::4], np.linspace(0, 1, 65))
    return np.interp(values, levels, np.linspace(0, 255, 65)).astype(np.float32)
