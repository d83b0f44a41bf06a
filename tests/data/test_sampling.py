from __future__ import annotations

import numpy as np
import pytest

from desertseg.data import ClassIndex
from desertseg.data.sampling import order_epoch, weigh_frames


def index_of(counts: list[list[int]]) -> ClassIndex:
    array = np.array(counts)
    return ClassIndex(array, np.full((*array.shape, 8, 2), 0.5, np.float32))


def test_without_weights_an_epoch_is_the_permutation_of_its_seed() -> None:
    frames, repeats = order_epoch(50, 3, 7)
    np.testing.assert_array_equal(frames, np.random.default_rng((0, 3, 7)).permutation(50))
    assert not repeats.any()


def test_weights_follow_the_repeat_factors() -> None:
    # Of 4,000 pixels the second class has 50 (1.25 %) and the third 8 (0.2 %); the fourth does not occur.
    index = index_of([[1000, 0, 0, 0], [960, 40, 0, 0], [990, 4, 6, 0], [992, 6, 2, 0]])
    repeats = np.array([1, np.sqrt(0.02 / 0.0125), np.sqrt(0.02 / 0.002), np.sqrt(0.02 / 0.002)])
    expected = repeats / repeats.sum() * 4
    np.testing.assert_allclose(weigh_frames(index, 1.0), expected)
    np.testing.assert_allclose(weigh_frames(index, 0.25), 0.75 + 0.25 * expected)
    np.testing.assert_array_equal(weigh_frames(index, 0.0), np.ones(4))
    poor = index_of([[1000, 0, 0, 0], [960, 40, 0, 0], [989, 4, 7, 0], [993, 6, 1, 0]])  # 0.1 % < 0.2 %: no gain
    assert weigh_frames(poor, 1.0)[3] == weigh_frames(poor, 1.0)[0]


def test_a_balanced_epoch_has_each_frame_as_often_as_its_weight() -> None:
    weights = np.array([0.3, 0.3, 0.8, 1.0, 1.6, 2.0])
    orders = [order_epoch(6, 5, epoch, weights) for epoch in range(400)]
    counts = np.array([np.bincount(frames, minlength=6) for frames, _ in orders])
    assert (counts.sum(axis=1) == 6).all()
    assert (counts >= np.floor(weights)).all()
    assert (counts <= np.ceil(weights)).all()
    np.testing.assert_allclose(counts.mean(axis=0), weights, atol=0.1)  # four standard deviations of a coin
    for frames, repeats in orders[:20]:
        assert repeats.tolist() == [int((frames[:i] == frames[i]).sum()) for i in range(6)]
    assert len({tuple(frames) for frames, _ in orders}) > 300
    firsts = np.bincount([frames[0] for frames, _ in orders], minlength=6) / 400
    np.testing.assert_allclose(firsts, weights / 6, atol=0.1)  # the order is random, not the line's


@pytest.mark.parametrize("epoch", [0, 1, 9])
def test_an_epoch_is_a_pure_function_of_its_numbers(epoch: int) -> None:
    weights = np.array([0.5, 1.5, 1.0])
    for one, other in zip(order_epoch(3, 1, epoch, weights), order_epoch(3, 1, epoch, weights), strict=True):
        np.testing.assert_array_equal(one, other)
    orders = {tuple(order_epoch(3, seed, epoch, weights)[0]) for seed in range(30)}
    assert len(orders) > 5
