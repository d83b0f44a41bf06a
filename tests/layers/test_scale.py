import keras
import numpy as np

from desertseg.layers import LayerScale


def test_multiplies_each_channel():
    layer = LayerScale(0.25)
    layer.build((None, None, 3))
    np.testing.assert_array_equal(layer.gamma, [0.25] * 3)
    layer.gamma.assign([1, 2, 3])
    np.testing.assert_array_equal(layer(np.ones((2, 5, 3), "float32")), np.broadcast_to([1, 2, 3], (2, 5, 3)))


def test_gradient_reaches_the_weight(differentiate):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    outputs, inputs_gradient, weight_gradient = differentiate(LayerScale(0.5), inputs)
    cotangent = inputs_gradient / 0.5
    np.testing.assert_allclose(outputs, inputs / 2, rtol=1e-6)
    np.testing.assert_allclose(weight_gradient, (inputs * cotangent).sum((0, 1)), rtol=1e-5)


def test_bfloat16():
    outputs = LayerScale(0.5, dtype="mixed_bfloat16")(np.ones((1, 1, 2), "float32"))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
