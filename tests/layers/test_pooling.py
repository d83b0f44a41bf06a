import keras
import numpy as np
import pytest

from desertseg.layers import ImagePooling, MaxPooling


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1), (2, 5)])
def test_equals_plain_keras_behind_padding_with_minus_infinity(size, assert_same, padded):
    inputs = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    layer = MaxPooling()
    assert_same(layer, padded(keras.layers.MaxPooling2D(3, 2, "valid"), 1, -np.inf), inputs)
    assert layer.compute_output_shape(inputs.shape) == tuple(layer(inputs).shape)


def test_a_tie_sends_its_gradient_to_one_place(differentiate):
    outputs, gradient = differentiate(MaxPooling(), np.zeros((1, 6, 6, 1), "float32"))
    cotangent = np.random.default_rng(7).normal(size=outputs.shape)
    np.testing.assert_allclose(gradient.sum(), cotangent.sum(), rtol=1e-5)
    assert np.count_nonzero(gradient) <= outputs.size


def test_bfloat16_pools_without_rounding():
    inputs = np.random.default_rng(0).integers(-9, 9, (1, 6, 6, 2)).astype("float32")
    rounded = keras.ops.cast(MaxPooling(dtype="bfloat16")(inputs), "float32")
    np.testing.assert_array_equal(rounded, MaxPooling()(inputs))


def test_image_pooling_is_the_mean_over_the_picture():
    inputs = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    np.testing.assert_allclose(ImagePooling()(inputs), inputs.mean((1, 2), keepdims=True), rtol=0, atol=1e-6)
