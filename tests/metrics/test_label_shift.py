"""Label shift: known shares are found again, and EM's answer is the likelihood's maximum by another optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from desertseg.metrics import MetricError
from desertseg.metrics.label_shift import estimate_priors, prior_bias

SOURCE = np.array([0.4, 0.3, 0.2, 0.1])
TARGET = np.array([0.05, 0.15, 0.2, 0.6])
CENTRES = np.array([[0, 0], [1.5, 0], [0, 1.5], [1.5, 1.5]])


def draw(shares, n=20_000, seed=0):
    """Points of four Gaussians in these shares, their classes, and the exact posteriors of a model of the source."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(4, n, p=shares)
    points = CENTRES[classes] + rng.normal(size=(n, 2))
    logits = -0.5 * ((points[:, None] - CENTRES) ** 2).sum(axis=2) + np.log(SOURCE)
    return softmax(logits, axis=1), classes


def test_a_known_shift_is_found():
    probabilities, classes = draw(TARGET)
    naive = np.bincount(probabilities.argmax(axis=1), minlength=4) / len(classes)
    found = estimate_priors(probabilities, SOURCE)
    assert found.dtype == np.float64
    assert found.sum() == pytest.approx(1)
    assert np.abs(found - TARGET).max() < 0.02  # 20,000 overlapping draws know it to a hundredth
    assert np.abs(naive - TARGET).max() > 0.05  # counting answers does not


def test_no_shift_gives_the_source():
    found = estimate_priors(draw(SOURCE)[0], SOURCE)
    assert np.abs(found - SOURCE).max() < 0.02


def test_it_is_the_maximum_of_the_likelihood():
    probabilities, _ = draw(TARGET, n=400)

    def cost(free):
        return -np.log(probabilities / SOURCE @ softmax(free)).mean()

    best = minimize(cost, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    found = estimate_priors(probabilities, SOURCE, iterations=20_000, tolerance=1e-12)
    np.testing.assert_allclose(found, softmax(best.x), atol=1e-4)


def test_one_step_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    found = estimate_priors(probabilities, [0.5, 0.5], iterations=2)
    first = np.array([0.55, 0.45])  # the mean of the rows
    weighted = probabilities * first / 0.5
    np.testing.assert_allclose(found, (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0))


def test_a_class_that_is_not_there_vanishes_and_one_without_a_prior_stays_away():
    probabilities, _ = draw([0.5, 0.5, 0, 0])
    assert estimate_priors(probabilities, SOURCE)[2:].max() < 0.02
    found = estimate_priors(np.pad(probabilities, ((0, 0), (0, 1))), [*SOURCE, 0])
    assert found[4] == 0
    np.testing.assert_allclose(found[:4], estimate_priors(probabilities, SOURCE))
    # A pixel that only a class without a prior explains says nothing.
    np.testing.assert_allclose(estimate_priors(np.array([[0.7, 0.3, 0], [0, 0, 1]]), [0.5, 0.5, 0])[2], 0)


def test_the_pull_towards_the_source():
    probabilities, _ = draw(TARGET, n=50)
    free, light, strong = (estimate_priors(probabilities, SOURCE, strength=s) for s in (0, 0.1, 1e6))
    assert np.abs(light - SOURCE).sum() < np.abs(free - SOURCE).sum()
    np.testing.assert_allclose(strong, SOURCE, atol=1e-4)
    assert light.min() > 0


def test_the_bias_moves_answers_to_the_targets_shares():
    probabilities, classes = draw(TARGET)
    bias = prior_bias(estimate_priors(probabilities, SOURCE), SOURCE)
    assert bias.dtype == np.float32
    before = (probabilities.argmax(axis=1) == classes).mean()
    after = ((np.log(probabilities) + bias).argmax(axis=1) == classes).mean()
    best = ((np.log(probabilities) + np.log(TARGET / SOURCE)).argmax(axis=1) == classes).mean()
    assert after > before + 0.05
    assert after == pytest.approx(best, abs=0.005)


def test_the_bias_of_rare_classes_is_clipped():
    bias = prior_bias([0.5, 0.5, 0, 0], [0.5, 0.2, 0.3, 0])
    np.testing.assert_allclose(bias, [0, np.log(2.5), np.log(1e-4 / 0.3), 0], rtol=1e-6)
    np.testing.assert_allclose(prior_bias([1, 1], [3, 1], floor=0.5), [np.log(0.5 / 0.75), 0], rtol=1e-6)
    assert np.isfinite(prior_bias([1, 0], [0, 1])).all()


def test_the_bias_of_a_model_that_needs_a_temperature():
    probabilities, _ = draw(TARGET, n=500)
    logits = 3 * np.log(probabilities)  # too sure by a factor of 3
    bias = prior_bias(TARGET, SOURCE, temperature=3)
    np.testing.assert_allclose(
        softmax((logits + bias) / 3, axis=1),
        softmax(np.log(probabilities) + np.log(TARGET / SOURCE), axis=1),
        rtol=1e-5,
    )


def test_what_cannot_be_estimated_is_refused():
    good = np.full((3, 2), 0.5)
    for bad in (good * 2, good - 0.6, good * np.nan):
        with pytest.raises(MetricError, match="softmax"):
            estimate_priors(bad, [0.5, 0.5])
    for bad in (good[0], good[:0], np.full((3, 3), 1 / 3)):
        with pytest.raises(MetricError, match=r"\(N, C\)"):
            estimate_priors(bad, [0.5, 0.5])
    for bad in ([0, 0], [-1, 2], [np.nan, 1], [], [[1.0]]):
        with pytest.raises(MetricError, match="shares are"):
            estimate_priors(good, bad)
    with pytest.raises(MetricError, match="a floor"):
        prior_bias([0.5, 0.5], [1.0])
    with pytest.raises(MetricError, match="a floor"):
        prior_bias([0.5, 0.5], [0.5, 0.5], floor=0)
    with pytest.raises(MetricError, match="a temperature of -1"):
        prior_bias([0.5, 0.5], [0.5, 0.5], temperature=-1)
