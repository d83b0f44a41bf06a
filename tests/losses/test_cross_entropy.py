import keras
import numpy as np
import pytest

from desertseg.losses import CrossEntropy


def test_equals_keras_own_with_ignored_class(batch, value_and_grad):
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    value, gradient = value_and_grad(CrossEntropy(), *batch)
    expected, expected_gradient = value_and_grad(own, *batch)
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-7)


def test_weights_normalise_as_pytorch_does(value):
    # Two pixels of cost log(2) and log(4), weights 1 and 3: (log 2 + 3 log 4) / (1 + 3) = 7/4 log 2.
    labels = np.array([[[0, 1]]], np.uint8)
    logits = np.array([[[[0, 0], [np.log(3), 0]]]], np.float32)
    assert value(CrossEntropy(class_weights=[1, 3]), labels, logits) == pytest.approx(7 / 4 * np.log(2), rel=1e-6)


def test_a_weight_of_zero_drops_the_class(batch, value):
    labels, logits = batch
    dropped = np.where(labels == 1, 255, labels).astype(np.uint8)
    expected = value(CrossEntropy(), dropped, logits)
    assert value(CrossEntropy(class_weights=[1, 0, 1, 1]), labels, logits) == pytest.approx(expected, rel=1e-6)
