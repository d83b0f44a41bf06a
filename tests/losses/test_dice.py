import numpy as np
import pytest

from desertseg.losses import Dice, LossError


def one_hot_logits(predictions, num_classes):
    return np.where(np.eye(num_classes, dtype=bool)[predictions], 100, 0).astype(np.float32)


def test_hard_predictions_give_the_dice_score(value):
    labels = np.array([[[0, 0, 0, 1], [1, 1, 255, 255]]], np.uint8)
    predictions = np.array([[[0, 0, 1, 1], [1, 0, 0, 1]]])
    # Class 0: 2 hits, 3 true, 3 predicted on valid pixels; class 1: 2 hits, 3 true, 3 predicted; class 2 absent.
    expected = 1 - (2 * 2 / 6 + 2 * 2 / 6) / 2
    assert value(Dice(), labels, one_hot_logits(predictions, 3)) == pytest.approx(expected, rel=1e-6)


def test_a_perfect_prediction_costs_nothing_though_classes_are_absent(value):
    labels = np.array([[[0, 2, 2, 255]]], np.uint8)
    assert value(Dice(), labels, one_hot_logits([[[0, 2, 2, 1]]], 5)) == pytest.approx(0, abs=1e-6)


def test_classes_are_pooled_over_the_batch_not_an_image(value):
    # Class 1 stands in the second image only; a mean over images would charge the first one for it.
    labels = np.array([[[0, 0]], [[0, 1]]], np.uint8)
    predictions = np.array([[[0, 1]], [[0, 1]]])
    expected = 1 - (2 * 2 / (3 + 2) + 2 * 1 / (1 + 2)) / 2
    assert value(Dice(), labels, one_hot_logits(predictions, 2)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smooth", [0.0, 1.0, 10.0])
def test_smoothing_equals_the_reference(smooth, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(Dice(smooth=smooth), labels, logits)
    assert value == pytest.approx(reference["Dice"](labels, logits, smooth=smooth), rel=2e-6)
    slope = differences(lambda x: reference["Dice"](labels, x, smooth=smooth), logits)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)


def test_weights_of_absent_classes_do_not_count(batch):
    value = float(Dice(class_weights=[1, 2, 5, 3])(*batch))  # the batch has no class 2
    assert float(Dice(class_weights=[1, 2, 900, 3])(*batch)) == pytest.approx(value, rel=1e-6)
    assert float(Dice(class_weights=[1, 2, 5, 9])(*batch)) != pytest.approx(value, rel=1e-2)


@pytest.mark.parametrize("smooth", [-1, float("nan")])
def test_a_smoothing_that_is_none_is_refused(smooth):
    with pytest.raises(LossError, match="smooth is"):
        Dice(smooth=smooth)
