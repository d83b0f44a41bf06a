"""Which frames an epoch goes through, and in which order: each once, or those with rare classes more often."""

from __future__ import annotations

import numpy as np

from desertseg.data.statistics import RARE_SHARE, ClassIndex

_ORDER, _BALANCED = 0, 7  # streams, see geometry.py


def order_epoch(count: int, seed: int, epoch: int, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return an epoch's frames in random order, and for each how often it came before in this epoch.

    Args:
        count: how many frames there are, and how many an epoch has.
        seed, epoch: what the order depends on.
        weights: float (count,), how often each frame is to come in an epoch, on average; they sum to `count`. A frame
            comes as often as the next lower or the next higher whole number. None: each comes once.

    Returns:
        int64 (count,) frames and int64 (count,) repeats.
    """
    if weights is None:
        return np.random.default_rng((_ORDER, seed, epoch)).permutation(count), np.zeros(count, np.int64)
    random = np.random.default_rng((_BALANCED, seed, epoch))
    # Systematic sampling: marks at equal distances on a line on which each frame is as long as its weight.
    line = random.permutation(count)
    ends = np.cumsum(weights[line])
    marks = (random.random() + np.arange(count)) * (ends[-1] / count)
    frames = random.permutation(line[np.searchsorted(ends, marks, side="right").clip(max=count - 1)])
    return frames, _count_before(frames)


def weigh_frames(index: ClassIndex, balance: float) -> np.ndarray:
    """Return how often each frame is to come in an epoch, on average: float64 (N,), its sum N.

    A frame's repeat factor is the largest, over its classes, of max(1, sqrt(t / f)): f is the class's share of the data
    set's labelled pixels and t = 2 %, below which a class is rare (Gupta et al., LVIS, 2019, section 4, with pixels in
    place of images: in one desert nearly every class is in nearly every frame). A class counts for a frame if its
    share there is at least f, so that to repeat the frame raises the class's share of the epoch.

    Args:
        index: the classes of the frames.
        balance: 0 weighs all frames alike, 1 by their repeat factors.
    """
    shares = index.counts / np.maximum(1, index.counts.sum(axis=1, keepdims=True))
    occurs = index.shares > 0
    factors = np.maximum(1, np.sqrt(RARE_SHARE / np.where(occurs, index.shares, 1)))
    repeats = np.where(occurs & (shares >= index.shares), factors, 1.0).max(axis=1)
    return (1 - balance) + balance * repeats * (len(repeats) / repeats.sum())


def _count_before(values: np.ndarray) -> np.ndarray:
    """Return for each value how often it stands before its place."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    before = np.empty(len(values), np.int64)
    before[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered, side="left")
    return before
