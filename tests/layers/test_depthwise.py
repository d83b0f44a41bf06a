import keras
import numpy as np
import pytest

from desertseg.layers import DepthwiseConvolution


@pytest.mark.parametrize(
    ("strides", "dilation", "size"), [(1, 1, (5, 7)), (2, 1, (8, 7)), (1, 2, (6, 5)), (1, 6, (5, 4)), (1, 18, (4, 4))]
)
def test_equals_plain_keras_behind_explicit_padding(strides, dilation, size, assert_same, padded):
    inputs = np.random.default_rng(0).normal(size=(2, *size, 5)).astype("float32")
    plain = keras.layers.DepthwiseConv2D(3, strides, "valid", dilation_rate=dilation)
    layer = DepthwiseConvolution(3, strides, dilation, use_bias=True)
    assert_same(layer, padded(plain, dilation), inputs)
    assert layer.compute_output_shape(inputs.shape) == layer(inputs).shape


def test_a_five_by_five_kernel(assert_same, padded):
    inputs = np.random.default_rng(0).normal(size=(1, 6, 6, 2)).astype("float32")
    assert_same(DepthwiseConvolution(5), padded(keras.layers.DepthwiseConv2D(5, use_bias=False), 2), inputs)


def test_bfloat16_is_near_float32(differentiate):
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")
    exact, rounded = DepthwiseConvolution(3), DepthwiseConvolution(3, dtype="mixed_bfloat16")
    expected = differentiate(exact, inputs)
    rounded.build(inputs.shape)
    rounded.set_weights(exact.get_weights())
    for ours, theirs in zip(differentiate(rounded, inputs), expected, strict=True):
        # bfloat16 keeps 8 bits, and the nine products are added in it one by one.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.03 * np.abs(theirs).max())


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the forms are JAX's")
def test_both_forms_of_the_kernels_gradient_agree():
    from desertseg.layers.depthwise import _gradient_by_rows, _gradient_by_windows

    inputs, gradient = np.random.default_rng(0).normal(size=(2, 2, 5, 6, 3)).astype("float32")
    rows, windows = (f((3, 3), (2, 2), inputs, gradient) for f in (_gradient_by_rows, _gradient_by_windows))
    np.testing.assert_allclose(rows, windows, rtol=0, atol=1e-5)


def test_config_round_trip_and_weights():
    layer = DepthwiseConvolution(3, dilation_rate=6, name="d")
    twin = DepthwiseConvolution.from_config(layer.get_config())
    assert (twin.kernel_size, twin.dilation_rate, twin.use_bias) == ((3, 3), (6, 6), False)
    twin.build((None, None, None, 4))
    assert [(v.name, v.shape) for v in twin.weights] == [("kernel", (3, 3, 4, 1))]
