"""Outputs and gradients of a layer on either backend."""

import keras
import numpy as np
import pytest
from keras import ops


class Padded(keras.layers.Layer):
    """A plain Keras layer behind explicit symmetric padding: the reference of the layers that pad by themselves."""

    def __init__(self, layer, amount, value=0.0):
        super().__init__(dtype=layer.dtype_policy)
        self.layer, self.amount, self.value = layer, amount, value

    def build(self, shape):
        self.layer.build((shape[0], shape[1] + 2 * self.amount, shape[2] + 2 * self.amount, shape[3]))

    def call(self, inputs):
        pads = ((0, 0), (self.amount, self.amount), (self.amount, self.amount), (0, 0))
        return self.layer(ops.pad(inputs, pads, constant_values=self.value))


def _differentiate(layer, *inputs):
    inputs = [ops.convert_to_tensor(array) for array in inputs]
    # A symbolic call builds the layer without running it operation by operation, which JAX would compile one by one.
    shape = layer(
        *(keras.KerasTensor(array.shape, keras.backend.standardize_dtype(array.dtype)) for array in inputs)
    ).shape
    cotangent = np.random.default_rng(7).normal(size=shape).astype("float32")
    if keras.backend.backend() == "jax":
        import jax

        def loss(weights, inputs):
            outputs, _ = layer.stateless_call(weights, [v.value for v in layer.non_trainable_variables], *inputs)
            return (outputs.astype("float32") * cotangent).sum(), outputs

        weights = [v.value for v in layer.trainable_variables]
        (weights_gradient, inputs_gradient), outputs = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(
            weights, inputs
        )
        gradients = [*inputs_gradient, *weights_gradient]
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(*inputs)
            loss = tf.reduce_sum(tf.cast(outputs, "float32") * cotangent)
        gradients = tape.gradient(loss, [*inputs, *(v.value for v in layer.trainable_variables)])
    return [np.asarray(ops.cast(array, "float32")) for array in (outputs, *gradients)]


@pytest.fixture
def differentiate():
    """Return (output, input gradients..., weight gradients...) as float32, for one fixed cotangent."""
    return _differentiate


@pytest.fixture
def padded():
    return Padded


@pytest.fixture
def assert_same(differentiate):
    """Compare output and every gradient of two layers, after copying the second one's weights from the first."""

    def compare(layer, reference, *inputs, tolerance=2e-5):
        found = differentiate(layer, *inputs)
        reference(*(keras.KerasTensor(array.shape, "float32") for array in inputs))
        reference.set_weights(layer.get_weights())
        expected = differentiate(reference, *inputs)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * max(1.0, np.abs(theirs).max()))

    return compare
