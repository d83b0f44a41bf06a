import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.losses import BoundaryCrossEntropy, CrossEntropy, LossError
from desertseg.losses.boundary import find_borders


def borders(labels, radius):
    return keras.ops.convert_to_numpy(find_borders(labels, labels != 255, radius))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99), radius=st.integers(1, 6), share=st.sampled_from([0.02, 0.2]))
def test_borders_are_where_another_label_is_near(seed, radius, share, reference):
    rng = np.random.default_rng(seed)
    labels = np.zeros((2, 5, 7), np.uint8)
    for value in (1, 9, 255, 255):
        labels[rng.random(labels.shape) < share] = value
    np.testing.assert_array_equal(borders(labels, radius), reference["borders"](labels, radius))


def test_neither_ignored_pixels_nor_the_edge_of_the_image_make_a_border():
    labels = np.array([[[3, 3, 255, 4, 4, 4, 5]]], np.uint8)
    assert borders(labels, 1)[0, 0].tolist() == [False] * 5 + [True, True]
    assert borders(labels, 2)[0, 0].tolist() == [False, True, False, True, True, True, True]  # past an ignored one


def test_a_border_pixel_counts_for_more(value):
    labels = np.array([[[0, 0, 0, 1, 1, 1]]], np.uint8)
    logits = np.zeros((1, 1, 6, 2), np.float32)
    logits[..., 0] = [0, 0, 1, 0, 0, 0]
    costs = np.log1p(np.exp(np.array([0, 0, -1, 0, 0, 0])))
    expected = (costs * [1, 1, 4, 4, 1, 1]).sum() / 12
    assert value(BoundaryCrossEntropy(radius=1, strength=3), labels, logits) == pytest.approx(expected, rel=1e-6)
    assert float(BoundaryCrossEntropy(radius=1, strength=3).mass(labels)) == 12


@pytest.mark.parametrize("options", [{"radius": 1, "strength": 0.5}, {"radius": 9, "strength": 10}], ids=str)
def test_options_equal_the_reference(options, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(BoundaryCrossEntropy(**options), labels, logits)
    assert value == pytest.approx(reference["BoundaryCrossEntropy"](labels, logits, **options), rel=2e-6)
    slope = differences(lambda x: reference["BoundaryCrossEntropy"](labels, x, **options), logits)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)


def test_no_strength_is_cross_entropy(batch):
    assert float(BoundaryCrossEntropy(strength=0)(*batch)) == pytest.approx(float(CrossEntropy()(*batch)), rel=1e-6)


@pytest.mark.parametrize("options", [{"radius": 0}, {"radius": 1.5}, {"strength": -1}], ids=str)
def test_options_that_are_none_are_refused(options):
    with pytest.raises(LossError, match=f"{next(iter(options))} is"):
        BoundaryCrossEntropy(**options)
