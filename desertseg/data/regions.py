"""Regions of a class: how many connected pieces it has, and how large they are."""

from __future__ import annotations

import cv2
import numpy as np

_STEPS = 8  # bins of sizes for each doubling: a size is known within 5 %, and exactly up to 12 pixels
BINS = 31 * _STEPS
SPECK = 16  # pixels, below which a region is a speck; the edge of a bin


def measure_regions(labels: np.ndarray, index: int) -> np.ndarray:
    """Return the pixels of each region of a class: int64 (K,).

    A region is a set of pixels of the class that touch each other, also by a corner (8-connectivity).

    Args:
        labels: uint8 (H, W).
        index: of the class.
    """
    found = (labels == index).view(np.uint8)
    left, top, width, height = cv2.boundingRect(found)
    part = found[top : top + height, left : left + width]  # rare classes fill a small part of a frame
    if not part.size:
        return np.zeros(0, np.int64)
    count, numbers = cv2.connectedComponents(part, connectivity=8, ltype=cv2.CV_32S)
    return np.bincount(numbers.ravel(), minlength=count)[1:]


def bin_sizes(sizes: np.ndarray) -> np.ndarray:
    """Return how many regions lie in each bin of sizes: int64 (BINS,); a bin is an eighth of a doubling."""
    places = np.floor(_STEPS * np.log2(np.maximum(sizes, 1)) + 1e-9).astype(np.int64)
    return np.bincount(places, minlength=BINS)


def bin_edges() -> np.ndarray:
    """Return the sizes at which the bins begin, and where the last one ends: float64 (BINS + 1,)."""
    return 2.0 ** (np.arange(BINS + 1) / _STEPS)


def usual_sizes() -> np.ndarray:
    """Return a size for each bin, within 5 % of any that lies there: float64 (BINS,)."""
    edges = np.ceil(bin_edges() - 1e-9)  # the sizes of a bin are the whole numbers from one to the next
    return np.sqrt(edges[:-1] * np.maximum(edges[:-1], edges[1:] - 1))


def middle_size(histogram: np.ndarray, *, by_pixel: bool = False) -> int:
    """Return the median of the sizes in a histogram by `bin_sizes`, within 5 %; 0 where there are none.

    Args:
        histogram: int64 (BINS,).
        by_pixel: the size of the region that the median pixel lies in, instead of that of the median region.
    """
    sizes = usual_sizes()
    weights = np.cumsum(histogram * sizes if by_pixel else histogram)
    return round(float(sizes[np.searchsorted(weights, weights[-1] / 2)])) if weights[-1] else 0


def drop_specks(histogram: np.ndarray) -> np.ndarray:
    """Return a histogram by `bin_sizes` without the regions of fewer than 16 pixels."""
    kept = histogram.copy()
    kept[..., : int(np.log2(SPECK)) * _STEPS] = 0
    return kept
