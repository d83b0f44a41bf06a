import keras
import numpy as np
import pytest

from desertseg.losses import CrossEntropy, LossError


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


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0, 3.0]], ids=["equal", "weighted"])
def test_label_smoothing_spreads_the_truth(weights, batch, value_and_grad, differences):
    labels, logits = batch
    valid = labels != 255
    w = np.ones(4) if weights is None else np.array(weights)

    def expected(x):
        x = x[valid].astype(np.float64)
        costs = np.log(np.exp(x).sum(-1, keepdims=True)) - x
        truth = 0.8 * np.eye(4)[labels[valid]] + 0.2 / 4
        return (truth * w * costs).sum() / w[labels[valid]].sum()

    value, gradient = value_and_grad(CrossEntropy(label_smoothing=0.2, class_weights=weights), labels, logits)
    assert value == pytest.approx(expected(logits), rel=2e-6)
    np.testing.assert_allclose(gradient, differences(expected, logits), rtol=0, atol=1e-6)


def test_label_smoothing_equals_keras_own(batch):
    labels, logits = batch
    own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = float(own(np.eye(4, dtype=np.float32)[labels[labels != 255]], logits[labels != 255]))
    assert float(CrossEntropy(label_smoothing=0.1)(labels, logits)) == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_leaves_nothing_where_every_pixel_is_ignored(value_and_grad):
    labels = np.full((1, 2, 3), 255, np.uint8)
    for weights in (None, [1, 2, 3]):
        made = CrossEntropy(label_smoothing=0.5, class_weights=weights)
        value, gradient = value_and_grad(made, labels, np.full((1, 2, 3, 3), 1e4, np.float32))
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_smoothing_that_is_none_is_refused(share):
    with pytest.raises(LossError, match="label_smoothing is"):
        CrossEntropy(label_smoothing=share)
