"""Bootstrap intervals of scores: frames, or whole scenes, drawn anew with replacement. NumPy alone.

Percentile intervals (Efron and Tibshirani 1993, section 13.3). Every score here is a function of sums over frames, so a
resample is a vector of weights, and all resamples are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from desertseg.metrics.confusion import MetricError
from desertseg.metrics.tally import Tally

REPLICATES = 2000
LEVEL = 0.95
FEW_SCENES = 5  # below that many an interval by scene is rough
_MOST_NUMBERS = 4_000_000  # float64 values that one chunk of replicates may hold

Interval = tuple[float, float]
Intervals = dict[str, dict[str, Interval | None]]


def bootstrap(
    counts: np.ndarray,
    groups: Sequence[str] | None,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the lower and upper ends of 95 % percentile intervals; None with fewer than two things to draw from.

    Args:
        counts: (N, ...) numbers of each frame whose sums over frames the statistic takes, such as confusions (N, C, C).
        groups: what each frame belongs to, N names: whole groups are drawn, as many as there are. None draws frames.
        statistic: maps sums (R, ...) of R replicates, float64, to values (R,) or (R, K). NaN where a replicate has
            no value, such as a class that no drawn frame shows; those replicates are left out.
        replicates: how often to draw.
        seed: of the generator; equal seeds draw equally.

    Returns:
        Two arrays of the shape of one value, () or (K,); NaN where no replicate had a value.

    Raises:
        MetricError: not one group a frame.
    """
    counts = _sum_groups(np.asarray(counts), groups)
    total = len(counts)
    if total < 2:
        return None
    flat = counts.reshape(total, -1).astype(np.float64)  # exact: sums stay far below 2^53
    generator = np.random.default_rng(seed)
    chunk = max(1, _MOST_NUMBERS // max(flat.shape))
    values = []
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        weights = generator.multinomial(total, np.full(total, 1 / total), size).astype(np.float64)
        values.append(statistic((weights @ flat).reshape(size, *counts.shape[1:])))
    return _quantiles(np.concatenate(values))


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    groups: Sequence[str] | None,
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return intervals of statistic(second) - statistic(first), where both are given the same draws of frames.

    What makes a frame hard is hard for both and cancels, so these are narrower than two intervals side by side.

    Args:
        first, second: as `counts` of `bootstrap`, of the same frames in the same order; so are the other arguments.
        statistic: maps the sums (R, ...) of replicates and those of all frames (1, ...) to values (R,) or (R, K).

    Raises:
        MetricError: the two differ in shape.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        raise MetricError(f"counts {first.shape} and {second.shape} are no pairs; give the same frames in one order")
    wholes = [counts.sum(axis=0, keepdims=True) for counts in (first, second)]

    def difference(sums: np.ndarray) -> np.ndarray:
        return statistic(sums[:, 1], wholes[1]) - statistic(sums[:, 0], wholes[0])

    return bootstrap(np.stack([first, second], axis=1), groups, difference, replicates=replicates, seed=seed)


def class_intervals(
    confusions: np.ndarray,
    scenes: Sequence[str],
    names: Sequence[str],
    *,
    unanswered: np.ndarray | None = None,
    seed: int = 0,
) -> Intervals:
    """Return the intervals of each class's IoU: {name: {"by_frame": (lo, hi) or None, "by_scene": ...}}.

    None where fewer than two frames, or scenes, show the class in the truth: how much it varies is not to be seen then.
    Draws whose truth lacks the class are left out.

    Args:
        confusions: integers (N, C, C), one matrix a frame.
        scenes: the scene of each frame.
        names: C class names.
        unanswered: integers (N, C), as in `Scores`.

    Raises:
        MetricError: not one scene a frame.
    """
    tally = Tally.of(np.asarray(confusions), unanswered)
    counts = np.stack([tally.hits, tally.pixels, tally.predicted], axis=1)

    def iou(sums: np.ndarray) -> np.ndarray:
        return np.where(sums[:, 1] > 0, Tally(sums[:, 0], sums[:, 1], sums[:, 2]).iou, np.nan)

    ends = {
        key: bootstrap(counts, groups, iou, seed=seed) for key, groups in (("by_frame", None), ("by_scene", scenes))
    }
    shown = {key: count_showing(tally.pixels, groups) for key, groups in (("by_frame", None), ("by_scene", scenes))}
    return {
        name: {key: as_interval(ends[key], i) if shown[key][i] > 1 else None for key in ends}
        for i, name in enumerate(names)
    }


def as_interval(ends: tuple[np.ndarray, np.ndarray] | None, index: int) -> Interval | None:
    """Return one of K intervals as plain numbers; None where there are none, or no value."""
    if ends is None or np.isnan(ends[0][index]):
        return None
    return float(ends[0][index]), float(ends[1][index])


def count_showing(pixels: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """Return how many frames, or groups of frames, show each class: (C,) from pixels (N, C)."""
    return (_sum_groups(np.asarray(pixels), groups) > 0).sum(axis=0)


def describe_intervals(scenes: Sequence[str]) -> str:
    """Return what intervals over these frames rest on, in one sentence."""
    frames, kinds = len(scenes), len(set(scenes))
    if frames < 2:
        return "no intervals: there is one frame"
    text = f"95 % bootstrap intervals, {REPLICATES:,} draws: by frame of {frames} frames"
    if kinds < 2:
        return f"{text}; none by scene, for there is one scene"
    rough = ", which is few: that interval is rough" if kinds < FEW_SCENES else ""
    return f"{text}, by scene of {kinds} whole scenes{rough}"


def _sum_groups(counts: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """Return the sums of counts (N, ...) over each group (G, ...), or the counts where there are no groups."""
    if groups is None:
        return counts
    if len(groups) != len(counts):
        raise MetricError(f"{len(groups)} scenes for {len(counts)} frames; give one a frame")
    kinds, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.zeros((len(kinds), *counts.shape[1:]), np.float64 if counts.dtype.kind == "f" else np.int64)
    np.add.at(sums, index, counts)
    return sums


def _quantiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the central 95 % of values (R, ...), NaN left out; NaN where all are."""
    empty = np.isnan(values).all(axis=0)
    filled = np.where(empty, 0.0, values)
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
