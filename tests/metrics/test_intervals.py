"""Bootstrap intervals, held against scipy.stats.bootstrap, and against what an interval promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from desertseg.metrics import MetricError, intervals
from desertseg.metrics.intervals import (
    as_interval,
    bootstrap,
    class_intervals,
    describe_intervals,
    paired_difference,
)

NAMES = ("a", "b", "c")


def make_confusions(frames: int, seed: int = 0, right: float = 0.7) -> np.ndarray:
    """Frames of 1000 pixels of three classes that vary in their shares and in how well they are told apart."""
    generator = np.random.default_rng(seed)
    confusions = np.zeros((frames, 3, 3), np.int64)
    for confusion in confusions:
        pixels = generator.multinomial(1000, generator.dirichlet([4, 2, 1]))
        skill = generator.beta(10 * right, 10 * (1 - right))
        for truth in range(3):
            chances = np.full(3, (1 - skill) / 2)
            chances[truth] = skill
            confusion[truth] = generator.multinomial(pixels[truth], chances)
    return confusions


def mean_iou(confusions: np.ndarray) -> np.ndarray:
    """Mean IoU of matrices (R, 3, 3), all classes present, written out."""
    hits = np.einsum("rcc->rc", confusions)
    return (hits / (confusions.sum(1) + confusions.sum(2) - hits)).mean(axis=1)


@pytest.mark.parametrize("by_scene", [False, True])
def test_the_ends_are_those_of_scipy(by_scene: bool) -> None:
    confusions = make_confusions(18)
    scenes = [f"s{i // 3}" for i in range(18)] if by_scene else None
    units = confusions.reshape(6, 3, 3, 3).sum(axis=1) if by_scene else confusions
    ours = bootstrap(confusions, scenes, mean_iou, replicates=6000)
    theirs = stats.bootstrap(
        (np.arange(len(units)),),
        lambda index: mean_iou(units[index].sum(axis=0)[None])[0],
        vectorized=False,
        n_resamples=6000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours is not None
    width = theirs.high - theirs.low
    # The ends of 6,000 draws stray by 1 to 2 % of the width (sqrt(p (1 - p) / R) over the density there).
    np.testing.assert_allclose(ours, theirs, atol=0.06 * width)
    assert width > 0.03


def test_the_ends_are_the_quantiles_of_a_loop_over_the_same_draws() -> None:
    confusions = make_confusions(7)
    generator = np.random.default_rng(5)
    values = []
    for _ in range(50):
        times = generator.multinomial(7, [1 / 7] * 7)
        values.append(mean_iou(np.repeat(confusions, times, axis=0).sum(axis=0)[None])[0])
    found = bootstrap(confusions, None, mean_iou, replicates=50, seed=5)
    np.testing.assert_allclose(found, np.quantile(values, [0.025, 0.975]), rtol=1e-12)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth = mean_iou(make_confusions(4000, seed=1).sum(axis=0)[None])[0]
    covered = 0
    for seed in range(200):
        low, high = bootstrap(make_confusions(25, seed=100 + seed), None, mean_iou, replicates=300, seed=seed) or (0, 0)
        covered += bool(low <= truth <= high)
    # Of 200 intervals 190 are due; percentile intervals of 25 frames fall a little short, and chance adds 2 x 3.1.
    assert 178 <= covered <= 199


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    confusions = make_confusions(9)
    whole = bootstrap(confusions, None, mean_iou, replicates=100)
    monkeypatch.setattr(intervals, "_MOST_NUMBERS", 70)
    np.testing.assert_array_equal(bootstrap(confusions, None, mean_iou, replicates=100), whole)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(2, 12), st.integers(0, 99), st.integers(2, 1000))
def test_laws(frames: int, seed: int, factor: int) -> None:
    confusions = make_confusions(frames, seed)
    found = bootstrap(confusions, None, mean_iou, replicates=60)
    assert found is not None
    assert found[0] <= found[1]
    each_its_own = [f"{i:03}" for i in range(frames)]
    np.testing.assert_array_equal(bootstrap(confusions, each_its_own, mean_iou, replicates=60), found)
    np.testing.assert_allclose(bootstrap(confusions * factor, None, mean_iou, replicates=60), found)
    same = np.repeat(confusions[:1], frames, axis=0)
    np.testing.assert_allclose(bootstrap(same, None, mean_iou, replicates=60), [mean_iou(confusions[:1])[0]] * 2)


def test_with_one_frame_or_scene_there_is_no_interval() -> None:
    confusions = make_confusions(3)
    assert bootstrap(confusions[:1], None, mean_iou) is None
    assert bootstrap(confusions, ["w"] * 3, mean_iou) is None
    with pytest.raises(MetricError, match="2 scenes for 3 frames"):
        bootstrap(confusions, ["w", "cc"], mean_iou)


def test_draws_without_a_value_are_left_out() -> None:
    counts = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    low, high = bootstrap(counts, None, lambda sums: np.where(sums > 0, 5.0, np.nan)) or (None, None)
    np.testing.assert_array_equal(low, [5, np.nan])
    np.testing.assert_array_equal(high, [5, np.nan])
    assert as_interval((low, high), 0) == (5, 5)
    assert as_interval((low, high), 1) is None
    assert as_interval(None, 0) is None


def test_a_paired_difference_is_that_of_both_under_the_same_draws() -> None:
    first, second = make_confusions(12, 1, right=0.6), make_confusions(12, 1, right=0.8)

    def statistic(sums: np.ndarray, whole: np.ndarray) -> np.ndarray:
        assert whole.shape == (1, 3, 3)
        return mean_iou(sums)

    low, high = paired_difference(first, second, None, statistic) or (0, 0)
    reference = stats.bootstrap(
        (np.arange(12),),
        lambda index: mean_iou(second[index].sum(0)[None])[0] - mean_iou(first[index].sum(0)[None])[0],
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    # 2,000 draws: the ends stray by 2 to 3 % of the width
    np.testing.assert_allclose([low, high], reference, atol=0.1 * (reference.high - reference.low))
    np.testing.assert_array_equal(paired_difference(first, first, None, statistic), [0, 0])
    np.testing.assert_allclose(paired_difference(second, first, None, statistic), [-high, -low], atol=1e-12)
    with pytest.raises(MetricError, match="no pairs"):
        paired_difference(first, second[1:], None, statistic)


def test_of_two_equals_one_in_twenty_is_called_different() -> None:
    called = 0
    for seed in range(200):
        pair = make_confusions(25, 2 * seed), make_confusions(25, 2 * seed + 1)
        low, high = paired_difference(*pair, None, lambda sums, _: mean_iou(sums), replicates=300, seed=seed) or (0, 0)
        called += not low <= 0 <= high
    # 10 are due, a few more from 25 frames, and chance adds 2 x 3.1
    assert 2 <= called <= 20


def test_class_intervals_need_two_frames_that_show_the_class() -> None:
    confusions = make_confusions(8)
    confusions[1:, 2] = 0  # c is in the first frame alone, and predicted in others
    confusions[4:, 1] = 0  # b is in one scene alone
    scenes = ["s"] * 4 + ["t"] * 4
    found = class_intervals(confusions, scenes, NAMES)
    assert found["c"] == {"by_frame": None, "by_scene": None}
    assert found["b"]["by_frame"] is not None
    assert found["b"]["by_scene"] is None
    low, high = found["a"]["by_scene"] or (0, 0)
    by_hand = []  # two scenes: each alone, or both
    for draw in (confusions[:4], confusions[4:], confusions):
        matrix = draw.sum(axis=0)
        by_hand.append(matrix[0, 0] / (matrix[0].sum() + matrix[:, 0].sum() - matrix[0, 0]))
    assert (low, high) == (pytest.approx(min(by_hand)), pytest.approx(max(by_hand)))


def test_unanswered_pixels_are_misses_in_intervals() -> None:
    confusions, unanswered = make_confusions(5), np.full((5, 3), 10**6)
    found = class_intervals(confusions, ["s"] * 5, NAMES, unanswered=unanswered)
    assert all(found[name]["by_frame"][1] < 1e-3 for name in NAMES)  # type: ignore[index]


def test_intervals_are_described() -> None:
    assert describe_intervals(["w"]) == "no intervals: there is one frame"
    assert "none by scene" in describe_intervals(["w", "w"])
    assert "by scene of 2 whole scenes, which is few" in describe_intervals(["w", "w", "cc"])
    assert "few" not in describe_intervals(list("abcde"))
