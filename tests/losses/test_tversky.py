import numpy as np
import pytest

from desertseg.losses import Dice, LossError, Tversky


@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.8, "beta": 0.1}, {"gamma": 4 / 3}, {"gamma": 0.5, "smooth": 3.0}, {"alpha": 0.0, "beta": 1.0}],
    ids=str,
)
def test_options_equal_the_reference(options, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(Tversky(**options), labels, logits)
    assert value == pytest.approx(reference["Tversky"](labels, logits, **options), rel=2e-6)
    slope = differences(lambda x: reference["Tversky"](labels, x, **options), logits)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)


def test_half_and_half_is_dice(batch):
    assert float(Tversky(0.5, 0.5)(*batch)) == pytest.approx(float(Dice()(*batch)), rel=1e-6)
    assert float(Tversky(0.5, 0.5, smooth=2)(*batch)) == pytest.approx(float(Dice(smooth=4)(*batch)), rel=1e-6)


def test_alpha_prices_false_positives_and_beta_false_negatives(value):
    # Class 1: one pixel found, two missed, none too many; class 0: one found, none missed, two too many.
    labels = np.array([[[0, 1, 1, 1]]], np.uint8)
    logits = np.where(np.eye(2, dtype=bool)[[[[0, 0, 0, 1]]]], 100, 0).astype(np.float32)
    expected = ((2 * 0.2) / (1 + 2 * 0.2) + (2 * 0.9) / (1 + 2 * 0.9)) / 2
    assert value(Tversky(alpha=0.2, beta=0.9), labels, logits) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("options", [{"gamma": 4 / 3}, {"alpha": 1, "beta": 0}], ids=str)
@pytest.mark.parametrize("scale", [100, -100, 20])
def test_certainty_has_a_finite_gradient(options, scale, value_and_grad):
    labels = np.array([[[0, 1, 1, 0]]], np.uint8)
    logits = np.where(np.eye(2, dtype=bool)[labels], scale, 0).astype(np.float32)
    value, gradient = value_and_grad(Tversky(**options), labels, logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("options", [{"alpha": -1}, {"beta": float("nan")}, {"smooth": -1}, {"gamma": 0}], ids=str)
def test_options_that_are_none_are_refused(options):
    with pytest.raises(LossError, match=f"{next(iter(options))} is"):
        Tversky(**options)
    with pytest.raises(LossError, match="both 0"):
        Tversky(alpha=0, beta=0)
