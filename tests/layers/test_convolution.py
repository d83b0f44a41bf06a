import keras
import numpy as np
import pytest

from desertseg.layers import Convolution


@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation", "size"),
    [(1, 1, 1, (5, 7)), (1, 2, 1, (6, 7)), (3, 1, 1, (5, 7)), (3, 2, 1, (8, 7)), (3, 1, 3, (5, 7)), (7, 2, 1, (9, 10))],
)
def test_equals_plain_keras_behind_explicit_padding(kernel_size, strides, dilation, size, assert_same, padded):
    inputs = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    plain = keras.layers.Conv2D(4, kernel_size, strides, "valid", dilation_rate=dilation)
    layer = Convolution(4, kernel_size, strides, dilation, use_bias=True)
    # Two orders of summation in float32.
    assert_same(layer, padded(plain, dilation * (kernel_size // 2)), inputs)
    assert layer.compute_output_shape(inputs.shape) == layer(inputs).shape


def test_wide_kernels_take_winograds_form_and_agree(assert_same, padded):
    inputs = np.random.default_rng(0).normal(size=(1, 5, 6, 256)).astype("float32")
    plain = keras.layers.Conv2D(256, 3, use_bias=False, dilation_rate=2)
    assert_same(Convolution(256, 3, dilation_rate=2), padded(plain, 2), inputs)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_bfloat16_is_near_float32(kernel_size, differentiate):
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype("float32")
    exact = Convolution(8, kernel_size)
    rounded = Convolution(8, kernel_size, dtype="mixed_bfloat16")
    expected = differentiate(exact, inputs)
    rounded.build(inputs.shape)
    rounded.set_weights(exact.get_weights())
    for ours, theirs in zip(differentiate(rounded, inputs), expected, strict=True):
        # bfloat16 keeps 8 bits; inputs, weights and cotangent are rounded before a sum of up to 72 products.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.02 * np.abs(theirs).max())


def test_config_and_weights_are_those_of_conv2d():
    layer = Convolution(4, 3, strides=2, name="c")
    twin = Convolution.from_config(layer.get_config())
    assert (twin.filters, twin.kernel_size, twin.strides, twin.use_bias) == (4, (3, 3), (2, 2), False)
    plain = keras.layers.Conv2D(4, 3, use_bias=False, kernel_initializer="zeros")
    for built in (layer, plain):
        built.build((None, None, None, 3))
    assert [(v.name, v.shape) for v in layer.weights] == [(v.name, v.shape) for v in plain.weights]


def test_dynamic_size_stays_unknown():
    assert Convolution(4, 3, 2)(keras.Input((None, 9, 3))).shape == (None, None, 5, 4)
