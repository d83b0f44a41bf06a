"""What is in a data set: how many pixels of each class each frame has, and where some of them lie."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.read import read_mask
from desertseg.errors import suggest
from desertseg.files import cache_folder, replacing
from desertseg.labels import IGNORE_INDEX, LabelMap

POINTS = 8  # kept for each frame and class
RARE_SHARE = 0.02  # of the labelled pixels, below which a class is rare
_VERSION = 1  # of what a cache file holds
# What zip, zlib and NumPy make of a damaged file: all that 70,000 mutated ones raised, and an array of absurd size.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError),
    *(OSError, ValueError, RuntimeError, MemoryError),
)


@dataclass(frozen=True)
class ClassIndex:
    """Which classes are in which frame, and where.

    Attributes:
        counts: int64 (N, C), pixels of each class in each frame, at the masks' own resolution.
        points: float32 (N, C, 8, 2), for each class of a frame the centres (y, x) of eight of its pixels, drawn at
            random, in [0, 1) of the frame's height and width; NaN where it has none.
    """

    counts: np.ndarray
    points: np.ndarray

    @cached_property
    def shares(self) -> np.ndarray:
        """Each class's share of all labelled pixels, float64 (C,)."""
        totals = self.counts.sum(axis=0)
        return totals / max(1, totals.sum())

    def rare(self, labels: LabelMap, names: Sequence[str] = ()) -> np.ndarray:
        """Return the indices of the rare classes that occur: those named, or those with less than 2 % of the pixels.

        Raises:
            DataError: a name that the label map does not have.
        """
        for name in names:
            if name not in labels.names:
                known = f"label map '{labels.name}' has {', '.join(labels.names)}"
                raise DataError(f"rare class '{name}' does not exist{suggest(name, labels.names)}; {known}")
        rare = np.isin(labels.names, names) if names else self.shares < RARE_SHARE
        return np.flatnonzero(rare & (self.shares > 0))


def index_classes(
    frames: Sequence[Frame],
    labels: LabelMap,
    *,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> ClassIndex:
    """Return what is where in the frames' masks: read once in threads, then from a cache.

    The cache lies in `$DESERTSEG_CACHE`, or else in `~/.cache/desertseg`, and knows masks by path, size and time of
    change. One that cannot be read or written does no harm.

    Args:
        frames: frames with masks.
        labels: the label map; ignored pixels do not count.
        progress: called with the number of frames that are done since the last call.
        threads: how many masks are read at once; by default one a core.

    Raises:
        DataError, LabelError: a mask that cannot be used.
    """
    path = _cache_path(frames, labels)
    index = _read_cache(path, (len(frames), labels.num_classes)) if path else None
    if index is not None:
        if progress:
            progress(len(frames))
        return index
    counts = np.zeros((len(frames), labels.num_classes), np.int64)
    points = np.full((len(frames), labels.num_classes, POINTS, 2), np.nan, np.float32)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(
            pool.submit(_index_frame, f, labels, c, p) for f, c, p in zip(frames, counts, points, strict=True)
        )
        try:
            while waiting:
                waiting.popleft().result()
                if progress:
                    progress(1)
        finally:
            for future in waiting:  # one mask is bad: do not read thousands of others before saying so
                future.cancel()
    index = ClassIndex(counts, points)
    if path:
        with contextlib.suppress(OSError), replacing(path) as temporary:
            np.savez_compressed(temporary, counts=counts, points=points)
    return index


def _index_frame(frame: Frame, labels: LabelMap, counts: np.ndarray, points: np.ndarray) -> None:
    """Fill one frame's counts (C,) and points (C, 8, 2)."""
    if frame.mask is None:
        raise DataError(f"image {frame.image} has no mask, so its classes cannot be counted")
    indices = read_mask(frame.mask, labels)
    height, width = indices.shape
    found = np.bincount(indices.ravel(), minlength=IGNORE_INDEX + 1)
    counts[:] = found[: labels.num_classes]
    random = np.random.default_rng(zlib.crc32(frame.name.encode()))
    order = np.argsort(indices.ravel(), kind="stable")  # by class; a radix sort, as there are only 256 values
    starts = np.cumsum(found) - found
    for c in np.flatnonzero(counts):
        y, x = np.divmod(order[starts[c] + random.integers(counts[c], size=POINTS)], width)
        points[c] = np.column_stack([(y + 0.5) / height, (x + 0.5) / width])


def _cache_path(frames: Sequence[Frame], labels: LabelMap) -> Path | None:
    """Return where the index of these masks as they are now is kept; None if one cannot be asked for its state."""
    digest = hashlib.sha256(json.dumps([_VERSION, POINTS, labels.to_dict()]).encode())
    try:
        for frame in frames:
            assert frame.mask is not None
            mask = frame.mask.absolute()
            state = mask.stat()
            digest.update(f"{mask}\0{frame.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    except (OSError, AssertionError):
        return None
    return cache_folder() / "classes" / f"{digest.hexdigest()[:32]}.npz"


def _read_cache(path: Path, shape: tuple[int, int]) -> ClassIndex | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            index = ClassIndex(arrays["counts"], arrays["points"])
    except _DAMAGE:
        return None
    return index if index.counts.shape == shape and index.points.shape == (*shape, POINTS, 2) else None
