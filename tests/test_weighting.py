import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from desertseg.weighting import SCHEMES, WeightingError, class_weights

COUNTS = np.array([[40, 10, 0, 50], [300, 0, 0, 100]])  # class 2 never


def ratios(weights, classes=(0, 1, 3)):
    weights = np.array(weights)[list(classes)]
    return weights / weights[0]


def test_inverse_is_scikit_learns_balanced():
    counts = np.array([340, 10, 150])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.repeat(np.arange(3), counts))
    np.testing.assert_allclose(class_weights(counts, "inverse"), expected / expected.mean(), rtol=1e-12)


def test_enet_by_hand():
    p = np.array([340, 10, 150]) / 500
    expected = 1 / np.log(1.02 + p)
    np.testing.assert_allclose(ratios(class_weights(COUNTS, "enet")), expected / expected[0], rtol=1e-12)


def test_median_frequency_counts_only_the_frames_that_have_the_class():
    f = np.array([340 / 500, 10 / 100, 150 / 500])
    np.testing.assert_allclose(ratios(class_weights(COUNTS, "median")), (0.3 / f) / (0.3 / f[0]), rtol=1e-12)


def test_effective_number_by_its_series():
    # Cui et al. 2019, equation 2: E = (1 - beta^n) / (1 - beta), the sum of beta^k for k < n.
    beta = 1 - 1 / (500 / 3)
    expected = np.array([1 / sum(beta**k for k in range(n)) for n in (340, 10, 150)])
    np.testing.assert_allclose(ratios(class_weights(COUNTS, "effective")), expected / expected[0], rtol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_laws(scheme):
    weights = np.array(class_weights(COUNTS, scheme))
    assert weights[[0, 1, 3]].mean() == pytest.approx(1)
    assert weights[2] == 1  # never counted
    assert weights[1] > weights[3] > weights[0]  # the rarer, the heavier
    capped = np.array(class_weights(COUNTS, scheme, cap=1.2))
    np.testing.assert_allclose(capped, np.minimum(weights, 1.2))
    # More frames of the same kind change nothing.
    np.testing.assert_allclose(class_weights(np.tile(COUNTS, (10, 1)), scheme), weights, rtol=0.02)
    np.testing.assert_allclose(class_weights(COUNTS * 10**12, scheme), weights, rtol=0.02)  # beyond int32 and float32
    assert class_weights(np.array([[5, 0]]), scheme) == [1, 1]
    if scheme != "median":
        np.testing.assert_allclose(class_weights(COUNTS.sum(0), scheme), weights, rtol=1e-12)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(WeightingError, match="did you mean 'median'"):
        class_weights(COUNTS, "medain")
    with pytest.raises(WeightingError, match="by frame"):
        class_weights(COUNTS.sum(0), "median")
    for counts in (np.zeros(3, int), np.array([1, -1]), np.array([0.5, 0.5]), np.array(3)):
        with pytest.raises(WeightingError, match="labelled pixels of each class"):
            class_weights(counts, "inverse")
    with pytest.raises(WeightingError, match="at least that"):
        class_weights(COUNTS, "inverse", cap=0.5)
