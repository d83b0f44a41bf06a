"""Near duplicates of frames: a perceptual hash of 64 bits, and which of many hashes lie close together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

NEAR = 10  # bits; in real desert drives neighbours differ in about 9, frames of two drives in 16 or more, mostly 30
BITS = 64
_ROWS, _COLUMNS = 8, 9
_COARSE = (
    8  # an average over whole blocks first is ten times as fast, and leaves at least this many values for each bit
)
_BLOCK = 1024  # hashes compared at a time, against all others


@dataclass(frozen=True)
class Neighbours:
    """Pairs of hashes that lie close together.

    Attributes:
        pairs: int64 (K, 2), the closest first; of the first hashes and of the others, or each pair once among one.
        distances: uint8 (K,), bits in which they differ.
        count: how many pairs there are; more than K where not all were kept.
    """

    pairs: np.ndarray
    distances: np.ndarray
    count: int


def hash_image(image: np.ndarray) -> np.uint64:
    """Return a frame's difference hash: which of 8x8 neighbours in a picture of 9x8 is the brighter.

    It hardly changes where a frame is compressed anew (4 bits at most over 100 real frames), made smaller (5), brighter
    (7) or cropped by 2 % (9). All frames of one colour share the hash 0.

    Args:
        image: uint8 RGB (H, W, 3) or gray (H, W).
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    factor = max(1, min(height // (_ROWS * _COARSE), width // (_COLUMNS * _COARSE)))
    whole = gray[: height // factor * factor, : width // factor * factor]
    coarse = cv2.resize(whole, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    tiny = cv2.resize(coarse, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    return np.packbits(tiny[:, 1:] > tiny[:, :-1]).view(">u8").astype(np.uint64)[0]


def find_near(
    hashes: np.ndarray, others: np.ndarray | None = None, *, limit: int = NEAR, most: int = 1000
) -> Neighbours:
    """Return which hashes differ in few bits, as `Neighbours`.

    Args:
        hashes: uint64 (N,).
        others: uint64 (M,), compared with `hashes`; those among themselves if None.
        limit: bits in which a near pair differs at most.
        most: how many pairs are kept, the closest ones; all are counted.
    """
    against = hashes if others is None else others
    kept = np.zeros((0, 3), np.int64)
    count = 0
    for start in range(0, len(hashes), _BLOCK):
        distances = np.bitwise_count(hashes[start : start + _BLOCK, None] ^ against)
        near = distances <= limit
        if others is None:
            near &= np.arange(len(against)) > np.arange(start, start + len(near))[:, None]
        rows, columns = np.nonzero(near)
        count += len(rows)
        found = np.column_stack([distances[rows, columns], rows + start, columns]).astype(np.int64)
        kept = np.concatenate([kept, found])
        kept = kept[np.lexsort(kept.T[::-1])][:most]
    return Neighbours(kept[:, 1:], kept[:, 0].astype(np.uint8), count)


def find_nearest(hashes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each hash the nearest of the others and the bits in which it differs: int64 (N,) and uint8 (N,).

    Args:
        hashes: uint64 (N,).
        others: uint64 (M,), at least one.
    """
    places = np.zeros(len(hashes), np.int64)
    nearest = np.zeros(len(hashes), np.uint8)
    for start in range(0, len(hashes), _BLOCK):
        distances = np.bitwise_count(hashes[start : start + _BLOCK, None] ^ others)
        rows = slice(start, start + len(distances))
        places[rows] = distances.argmin(axis=1)
        nearest[rows] = distances.min(axis=1)
    return places, nearest
