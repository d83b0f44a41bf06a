import numpy as np
import pytest

from desertseg.losses import OHEM, CrossEntropy, LossError
from desertseg.losses.ohem import _kth_largest


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0, 3.0]], ids=["equal", "weighted"])
@pytest.mark.parametrize("options", [{"threshold": 0.0, "keep": 0.4}, {"threshold": 0.2}], ids=str)
def test_options_equal_the_reference(options, weights, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(OHEM(**options, class_weights=weights), labels, logits)
    assert value == pytest.approx(reference["OHEM"](labels, logits, weights, **options), rel=2e-6)
    slope = differences(lambda x: reference["OHEM"](labels, x, weights, **options), logits)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)
    trained = np.abs(gradient).sum(-1) > 0
    assert 0 < trained.sum() < (labels != 255).sum()


@pytest.mark.parametrize("options", [{"keep": 1.0}, {"threshold": 1.0}], ids=str)
def test_all_pixels_are_cross_entropy(options, batch):
    assert float(OHEM(**options)(*batch)) == pytest.approx(float(CrossEntropy()(*batch)), rel=1e-6)


def test_one_pixel_is_trained_where_all_are_easy(batch, value_and_grad):
    labels, _ = batch
    logits = 30.0 * np.eye(4, dtype=np.float32)[np.minimum(labels, 3)]
    logits[1, 2, 3] = 0.1 * logits[1, 2, 3]
    labels = labels.copy()
    labels[1, 2, 3] = labels.max(initial=0, where=labels != 255)
    _, gradient = value_and_grad(OHEM(keep=0), labels, logits)
    assert np.argwhere(np.abs(gradient).sum(-1) > 1e-6).tolist() == [[1, 2, 3]]


def test_pixels_as_hard_as_the_last_one_are_all_kept(value_and_grad):
    # Otherwise their place in memory would choose among them.
    labels = np.zeros((1, 2, 8), np.uint8)
    _, gradient = value_and_grad(OHEM(threshold=0.4), labels, np.zeros((1, 2, 8, 2), np.float32))
    assert (gradient[..., 0] < 0).all()


def test_a_class_of_weight_zero_takes_no_place(batch, value):
    labels, logits = batch
    without = np.where(labels == 1, 255, labels).astype(np.uint8)
    made = value(OHEM(threshold=0, keep=0.3, class_weights=[1, 0, 1, 1]), labels, logits)
    assert made == pytest.approx(value(OHEM(threshold=0, keep=0.3), without, logits), rel=1e-6)


def test_kth_largest_is_that_of_a_sort():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.gamma(0.1, 1, 50), [0, 0, 1e30, 5e-42], rng.gamma(0.1, 1, 5).repeat(3)])
    bits = values.astype(np.float32).view(np.int32)
    ordered = np.sort(bits)[::-1]
    with_gaps = np.concatenate([bits, np.full(9, -1, np.int32)])
    for k in (1, 2, 30, len(bits)):
        assert int(_kth_largest(with_gaps, k)) == ordered[k - 1]
    assert int(_kth_largest(with_gaps, len(bits) + 1)) == 0


@pytest.mark.parametrize("options", [{"threshold": -0.1}, {"threshold": 2}, {"keep": float("nan")}], ids=str)
def test_options_that_are_none_are_refused(options):
    with pytest.raises(LossError, match=f"{next(iter(options))} is .*0..1"):
        OHEM(**options)
