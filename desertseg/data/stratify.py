"""Choose which groups of frames make val, so that it has its share of every class and few twins in train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_EXHAUSTIVE = 12  # groups up to which every choice is tried
_STARTS, _WORTH = 12, 1200  # starts of the search, of many groups fewer: these by the number of groups, but two
_STEPS = 200  # of one start; far more than any needed
_TINY = 1e-3  # of the wanted share: what a class that is missing on a side counts as
# What a choice is judged by, beside the mean over the classes: how far val's size is off, how many near pairs are torn
# apart, and each class that is missing on a side.
_SIZE, _NEAR, _MISSING = 4.0, 0.5, 1.0
_WORK = 4e8  # multiplications of one step, by which the swaps that are tried are limited
_MOST_SWAPS = 4000


@dataclass(frozen=True)
class Groups:
    """Groups of frames, between which a split may cut.

    Attributes:
        sizes: int64 (G,), frames.
        counts: int64 (G, C), pixels of each class.
        near: float64 (G, G), near pairs of frames between two groups, symmetric, the diagonal does not matter; an
            array or a sparse one of SciPy.
    """

    sizes: np.ndarray
    counts: np.ndarray
    near: Any


def choose_groups(groups: Groups, share: float, seed: int = 0) -> np.ndarray:
    """Return which groups make val: bool (G,), at least one and not all.

    Among few groups the best choice, else the best that a local search finds from several random starts: groups change
    sides alone or in pairs as long as that helps. A choice is judged by the Kullback-Leibler divergence of val's share
    of the frames and of each class from the wanted one, each class weighing the same however rare it is.

    Args:
        groups: at least two.
        share: of the frames that val is to have, between 0 and 1.
        seed: of the search; the same seed makes the same choice.
    """
    count = len(groups.sizes)
    if count <= _EXHAUSTIVE:
        every = (np.arange(1, 2**count - 1)[:, None] >> np.arange(count) & 1).astype(bool)
        return every[judge(groups, every, share).argmin()]
    random = np.random.default_rng(seed)
    found = [_descend(groups, start, share, random) for start in _starts(groups, share, random)]
    return min(found, key=lambda choice: float(judge(groups, choice[None], share)[0]))


def judge(groups: Groups, choices: np.ndarray, share: float) -> np.ndarray:
    """Return what is wrong with each of the choices: float64 (K,), 0 being a perfect one.

    Args:
        groups: G groups.
        choices: bool (K, G).
        share: of the frames that val is to have.
    """
    chosen = choices.astype(np.float64)
    several = (groups.counts > 0).sum(axis=0) > 1  # a class in one group can only be on one side
    counts = groups.counts[:, several] / np.maximum(1, groups.counts[:, several].sum(axis=0))
    classes = chosen @ counts
    missing = ((classes < 1e-12) | (classes > 1 - 1e-12)).sum(axis=1)
    off = _diverge(classes, share).sum(axis=1) / max(1, classes.shape[1])
    size = _diverge(chosen @ (groups.sizes / groups.sizes.sum()), share)
    torn = ((chosen @ groups.near) * (1 - chosen)).sum(axis=1) / (share * groups.sizes.sum())
    return off + _SIZE * size + _NEAR * torn + _MISSING * missing


def _diverge(found: np.ndarray, share: float) -> np.ndarray:
    """Return the Kullback-Leibler divergence of (found, 1 - found) from (share, 1 - share)."""
    inside = np.maximum(found, share * _TINY)
    outside = np.maximum(1 - found, (1 - share) * _TINY)
    return np.maximum(0, share * np.log(share / inside) + (1 - share) * np.log((1 - share) / outside))


def _starts(groups: Groups, share: float, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield random choices of about the wanted size."""
    count = len(groups.sizes)
    for _ in range(min(_STARTS, max(2, _WORTH // count))):
        order = random.permutation(count)
        filled = np.cumsum(groups.sizes[order]) <= share * groups.sizes.sum()
        filled[0], filled[-1] = True, False
        start = np.zeros(count, bool)
        start[order[filled]] = True
        yield start


def _descend(groups: Groups, choice: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Return a choice that no single move, nor any of the swaps that were tried, makes better."""
    best = float(judge(groups, choice[None], share)[0])
    for _ in range(_STEPS):
        moved = _neighbours(choice, random)
        costs = judge(groups, moved, share)
        place = int(costs.argmin())
        if costs[place] >= best - 1e-12:
            break
        choice, best = moved[place], float(costs[place])
    return choice


def _neighbours(choice: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the choices in which one group has changed sides, or two of different sides have: bool (K, G)."""
    count = len(choice)
    val, train = np.flatnonzero(choice), np.flatnonzero(~choice)
    one, other = (a.ravel() for a in np.meshgrid(val, train, indexing="ij"))
    most = int(min(_MOST_SWAPS, max(100, _WORK / count**2)))
    if len(one) > most:
        kept = random.choice(len(one), most, replace=False)
        one, other = one[kept], other[kept]
    flips = np.arange(count)
    if len(val) == 1:
        flips = train
    elif len(train) == 1:
        flips = val
    moved = np.repeat(choice[None], len(flips) + len(one), axis=0)
    moved[np.arange(len(flips)), flips] ^= True
    rows = np.arange(len(flips), len(moved))
    moved[rows, one] = False
    moved[rows, other] = True
    return moved
