import keras
import numpy as np
import pytest

from desertseg.layers import BatchNormalization


def train_once(layer, inputs):
    outputs = layer(inputs, training=True)
    return np.asarray(outputs), np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)


def test_moving_variance_is_unbiased_as_in_pytorch():
    inputs = np.random.default_rng(0).normal(3.0, 2.0, (2, 3, 4, 5)).astype("float32")
    outputs, mean, variance = train_once(BatchNormalization(), inputs)
    flat = inputs.reshape(-1, 5).astype("float64")
    np.testing.assert_allclose(mean, 0.1 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * flat.var(0, ddof=1), rtol=1e-5)
    expected = (inputs - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_output_equals_plain_keras(training):
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    ours, plain = BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    np.testing.assert_allclose(ours(inputs, training=training), plain(inputs, training=training), rtol=0, atol=1e-6)


def test_one_value_a_channel_stays_finite():
    _, _, variance = train_once(BatchNormalization(), np.ones((1, 1, 1, 2), "float32"))
    np.testing.assert_allclose(variance, [0.9, 0.9], rtol=1e-6)


def test_a_frozen_layer_keeps_its_statistics():
    layer = BatchNormalization()
    layer.trainable = False
    _, mean, variance = train_once(layer, np.full((2, 3, 3, 2), 5, "float32"))
    assert mean.tolist() == [0, 0]
    assert variance.tolist() == [1, 1]
