"""What a data set is made of, counted in one pass: classes, scenes, regions, places in the picture, colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from desertseg.data.ahead import map_ahead
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.read import read_pair
from desertseg.data.regions import BINS, bin_sizes, measure_regions
from desertseg.errors import UserError
from desertseg.labels import LabelMap

GRID = (36, 64)  # rows and columns of the position maps
_CLEAR = 16  # frames that fail, none being good, after which it is not the frames' fault
_STRIP = 1 << 22  # pixels of which OpenCV's float32 histogram counts each


@dataclass(frozen=True)
class Summary:
    """What was counted in N frames, in C classes.

    Attributes:
        frames: those that were counted.
        counts: int64 (N, C), pixels of each class in each frame.
        ignored: int64 (N,), pixels that are ignored.
        sizes: how many frames have each size (H, W).
        regions: int64 (C, BINS), how many regions of each class are of each size, see `regions.bin_sizes`.
        largest: int64 (C,), pixels of the largest region of each class.
        positions: int64 (36, 64, C), pixels of each class in each cell of a grid that is laid over every frame.
        areas: int64 (36, 64), all pixels in each cell; cells differ where a frame's size is no multiple of the grid's.
        colors: int64 (3, 256), pixels of each value of red, green and blue.
        failures: (frame, reason) of those that could not be read.
    """

    frames: tuple[Frame, ...]
    counts: np.ndarray
    ignored: np.ndarray
    sizes: dict[tuple[int, int], int]
    regions: np.ndarray
    largest: np.ndarray
    positions: np.ndarray
    areas: np.ndarray
    colors: np.ndarray
    failures: tuple[tuple[Frame, UserError], ...] = ()

    @property
    def places(self) -> np.ndarray:
        """Float64 (36, 64, C): each class's share of each cell's pixels; 0 in cells that no frame reaches."""
        return self.positions / np.maximum(1, self.areas)[..., None]


@dataclass(frozen=True)
class _Part:
    """What was counted in one frame."""

    size: tuple[int, int]
    positions: np.ndarray  # int64 (36, 64, C + 1); the last is what is ignored
    regions: np.ndarray
    largest: np.ndarray
    colors: np.ndarray


def summarize(
    frames: Sequence[Frame],
    labels: LabelMap,
    *,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> Summary:
    """Return what the frames hold. A frame that cannot be read is left out and kept among the failures.

    Args:
        frames: frames with masks.
        labels: the label map; ignored pixels count for nothing but `ignored`.
        progress: called with 1 after each frame.
        threads: how many frames are read at once; by default one a core.

    Raises:
        UserError: no frame could be read, or none of the first 16; the reason is the first one's.
    """
    total: Summary = _empty(labels.num_classes)
    kept: list[Frame] = []
    counts, ignored = [], []
    sizes: Counter[tuple[int, int]] = Counter()
    failures: list[tuple[Frame, UserError]] = []
    for frame, part in map_ahead(lambda frame: _count_frame(frame, labels), frames, threads):
        if isinstance(part, UserError):
            failures.append((frame, part))
            if not kept and len(failures) == min(_CLEAR, len(frames)):
                raise failures[0][1]
        else:
            kept.append(frame)
            found = part.positions.sum(axis=(0, 1))
            counts.append(found[:-1])
            ignored.append(found[-1])
            sizes[part.size] += 1
            total.positions[:] += part.positions[..., :-1]
            total.areas[:] += part.positions.sum(axis=2)
            total.regions[:] += part.regions
            total.colors[:] += part.colors
            np.maximum(total.largest, part.largest, out=total.largest)
        if progress:
            progress(1)
    if not kept:
        raise DataError("there are no frames to count")
    return Summary(
        tuple(kept),
        np.array(counts),
        np.array(ignored),
        dict(sizes.most_common()),
        total.regions,
        total.largest,
        total.positions,
        total.areas,
        total.colors,
        tuple(failures),
    )


def _empty(num_classes: int) -> Summary:
    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int64)

    grids = zeros(num_classes, BINS), zeros(num_classes), zeros(*GRID, num_classes), zeros(*GRID), zeros(3, 256)
    return Summary((), zeros(0, num_classes), zeros(0), {}, *grids)


def _count_frame(frame: Frame, labels: LabelMap) -> _Part:
    if frame.mask is None:
        raise DataError(f"image {frame.image} has no mask, so its classes cannot be counted")
    image, indices = read_pair(frame.image, frame.mask, labels)
    classes = labels.num_classes
    cells = _number_cells(*indices.shape, classes + 1)
    # 255, the ignored, is counted as class C, so that one pass counts classes, cells and what is ignored.
    found = np.bincount((cells + np.minimum(indices, classes)).ravel(), minlength=GRID[0] * GRID[1] * (classes + 1))
    positions = found.reshape(*GRID, classes + 1)
    regions, largest = np.zeros((classes, BINS), np.int64), np.zeros(classes, np.int64)
    for c in np.flatnonzero(positions.sum(axis=(0, 1))[:-1]):
        sizes = measure_regions(indices, int(c))
        regions[c], largest[c] = bin_sizes(sizes), sizes.max()
    return _Part((indices.shape[0], indices.shape[1]), positions, regions, largest, count_colors(image))


@lru_cache(maxsize=4)  # data sets have one size or a few
def _number_cells(height: int, width: int, step: int) -> np.ndarray:
    """Return for each pixel the number of its cell of the grid, times `step`: int32 (H, W)."""
    rows, columns = np.arange(height) * GRID[0] // height, np.arange(width) * GRID[1] // width
    cells = ((rows[:, None] * GRID[1] + columns) * step).astype(np.int32)
    cells.setflags(write=False)
    return cells


def count_colors(image: np.ndarray) -> np.ndarray:
    """Return how many pixels of an image have each value of red, green and blue: int64 (3, 256).

    Args:
        image: uint8 RGB (H, W, 3).
    """
    rows = max(1, _STRIP // image.shape[1])
    counts = np.zeros((3, 256), np.int64)
    for top in range(0, image.shape[0], rows):
        strip = image[top : top + rows]
        for channel in range(3):
            histogram = cv2.calcHist([strip], [channel], None, [256], [0, 256])
            counts[channel] += histogram.ravel().astype(np.int64)
    return counts
