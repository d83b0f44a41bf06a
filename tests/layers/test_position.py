import keras
import numpy as np
import pytest

from desertseg.layers import PositionEmbedding, resize_bicubic


def embed(layer, height, width):
    tokens = np.zeros((2, 1 + height * width, 3), "float32")
    return np.asarray(layer(tokens, np.zeros((2, height, width, 3), "float32")))


def test_resized_to_the_picture_or_as_it_is():
    layer = PositionEmbedding(4, offset=0.1)
    outputs = embed(layer, 4, 4)
    positions = np.asarray(layer.positions)
    np.testing.assert_array_equal(outputs, np.broadcast_to(positions, outputs.shape))
    outputs = embed(layer, 4, 5)
    expected = np.asarray(resize_bicubic(positions[1:].reshape(4, 4, 3), (4, 5), offset=0.1)).reshape(-1, 3)
    np.testing.assert_array_equal(outputs[:, 0], positions[[0, 0]])
    np.testing.assert_allclose(outputs[:, 1:], np.stack([expected] * 2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("antialias", [False, True])
def test_sizes_that_are_known_only_at_run_time(antialias):
    tokens, reference = keras.Input((None, 3)), keras.Input((None, None, 3))
    layer = PositionEmbedding(4, antialias, 0.1)
    model = keras.Model([tokens, reference], layer(tokens, reference))
    for size in ((2, 3), (5, 4), (4, 4)):
        tokens = np.zeros((2, 1 + size[0] * size[1], 3), "float32")
        outputs = model.predict([tokens, np.zeros((2, *size, 3), "float32")], verbose=0)
        np.testing.assert_allclose(outputs, embed(layer, *size), rtol=0, atol=1e-6)


def test_the_weight_stays_float32():
    layer = PositionEmbedding(2, dtype="mixed_bfloat16")
    outputs = layer(np.zeros((1, 7, 3), "float32"), np.zeros((1, 2, 3, 3), "float32"))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert layer.positions.dtype == "float32"
