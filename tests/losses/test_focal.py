import numpy as np
import pytest

from desertseg.losses import CrossEntropy, Focal, LossError


@pytest.mark.parametrize("weights", [None, [1, 2, 3, 4]])
def test_gamma_zero_is_cross_entropy(weights, batch, value_and_grad):
    value, gradient = value_and_grad(Focal(gamma=0, class_weights=weights), *batch)
    expected, expected_gradient = value_and_grad(CrossEntropy(class_weights=weights), *batch)
    assert value == expected
    np.testing.assert_array_equal(gradient, expected_gradient)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.5])
def test_any_gamma_equals_the_reference(gamma, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(Focal(gamma=gamma), labels, logits)
    assert value == pytest.approx(reference["Focal"](labels, logits, gamma=gamma), rel=2e-6)
    slope = differences(lambda x: reference["Focal"](labels, x, gamma=gamma), logits)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0, 5.0])
def test_certainty_has_a_finite_gradient(gamma, value_and_grad):
    labels = np.array([[[0, 0]]], np.uint8)
    logits = np.array([[[[200, 0], [30, 0]]]], np.float32)  # p rounds to 1
    value, gradient = value_and_grad(Focal(gamma=gamma), labels, logits)
    assert 0 <= value < 1e-6
    assert np.isfinite(gradient).all()


def test_a_confident_mistake_costs_what_it_costs_in_cross_entropy(value_and_grad):
    # Keras' own focal clips the probability at 1e-7 and has no gradient here.
    labels = np.array([[[1]]], np.uint8)
    logits = np.array([[[[40, 0]]]], np.float32)
    value, gradient = value_and_grad(Focal(), labels, logits)
    assert value == pytest.approx(40)
    np.testing.assert_allclose(gradient[0, 0, 0], [1, -1], rtol=1e-6)


@pytest.mark.parametrize("gamma", [-1, float("nan"), float("inf")])
def test_a_gamma_that_is_none_is_refused(gamma):
    with pytest.raises(LossError, match="gamma is"):
        Focal(gamma=gamma)
