"""Class weights from how often each class was labelled."""

from __future__ import annotations

from typing import Any

import numpy as np

from desertseg.errors import UserError, suggest

SCHEMES = ("inverse", "enet", "median", "effective")


class WeightingError(UserError):
    """Counts, a scheme or a cap from which no class weights can be made."""


def class_weights(counts: Any, scheme: str, cap: float = 0.0) -> list[float]:
    """Return one weight a class, of mean 1 over the classes that were counted at all; a rarer class weighs more.

    With p[c] the share of class c in the labelled pixels:

    - `inverse`: 1 / p[c].
    - `enet`: 1 / ln(1.02 + p[c]). Paszke et al., ENet, 2016, section 5.2: no weight is more than 50 times another.
    - `median`: median(f) / f[c], f[c] being the share of class c in the labelled pixels of those frames that have it.
      Eigen and Fergus, Predicting depth, surface normals and semantic labels, 2015, section 6.3.2. A class that stands
      in few frames is not punished for the others.
    - `effective`: 1 / (1 - beta ** n[c]), n[c] being the pixels of class c. Cui et al., Class-balanced loss based on
      effective number of samples, 2019, equations 2 and 3, whose N = 1 / (1 - beta), the number of samples of which all
      others are near copies, is set to the mean number of pixels of a class: a class that has more of them than that
      counts as little more frequent, a rare one weighs as `inverse` has it. A fixed beta such as 0.9999 would give
      every class of a million pixels the same weight.

    A class that was not counted weighs 1: nothing is known about it, 0 would silently drop its pixels where some turn
    up (in validation, say), and a weight made from a share of 0 would drown the others.

    Args:
        counts: labelled pixels, integers (C,), or (N, C) by frame, which `median` needs.
        scheme: inverse, enet, median or effective.
        cap: the largest weight; 0 for none. Applied last: the weights of the other classes stay as they are.

    Raises:
        WeightingError: an unknown scheme, counts that are none, a cap below 1 (the mean weight).
    """
    counts = np.asarray(counts)
    if scheme not in SCHEMES:
        raise WeightingError(
            f"class weights '{scheme}' are unknown{suggest(scheme, SCHEMES)}; use {', '.join(SCHEMES)}"
        )
    if counts.ndim not in (1, 2) or counts.dtype.kind not in "iu" or (counts < 0).any() or not counts.any():
        raise WeightingError(
            f"class weights were given counts of shape {counts.shape} and type {counts.dtype}; they are made from the "
            "labelled pixels of each class, integers (C,) or (N, C) by frame, not all 0"
        )
    if cap and not 1 <= cap < float("inf"):
        raise WeightingError(
            f"the cap of the class weights is {cap}; their mean is 1, so it must be at least that, or 0 for none"
        )
    total = counts.reshape(-1, counts.shape[-1]).sum(axis=0, dtype=np.int64)
    present = total > 0
    weights = np.ones(len(total))
    raw = _raw(counts, total, scheme)[present]
    weights[present] = raw / raw.mean()
    return (np.minimum(weights, cap) if cap else weights).tolist()


def _raw(counts: np.ndarray, total: np.ndarray, scheme: str) -> np.ndarray:
    """Return the weights by the scheme's formula; what absent classes get does not matter."""
    share = np.maximum(total, 1) / total.sum()
    if scheme == "inverse":
        return 1 / share
    if scheme == "enet":
        return 1 / np.log(1.02 + share)
    if scheme == "effective":
        volume = total.sum() / np.count_nonzero(total)
        return 1 / -np.expm1(np.maximum(total, 1) * np.log1p(-1 / max(volume, 2)))
    if counts.ndim == 1:
        raise WeightingError(
            "class weights 'median' need the pixels of each class by frame (N, C), not their sums (C,)"
        )
    around = np.where(counts > 0, counts.sum(axis=1, dtype=np.int64, keepdims=True), 0).sum(axis=0)
    share = np.maximum(total, 1) / np.maximum(around, 1)
    return np.median(share[total > 0]) / share
