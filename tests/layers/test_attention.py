import keras
import numpy as np
import pytest
from keras import ops

from desertseg.layers import Attention, plain_forms


def attend(queries, keys, values, num_heads):
    """Attention in float64, one query of one head at a time."""
    result = np.zeros(queries.shape)
    width = queries.shape[-1] // num_heads
    for image, query, head in np.ndindex(*queries.shape[:2], num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = keys[image, :, part].astype(float) @ queries[image, query, part] / width**0.5
        weights = np.exp(scores - scores.max())
        result[image, query, part] = weights / weights.sum() @ values[image, :, part]
    return result


@pytest.fixture
def tokens():
    generator = np.random.default_rng(0)
    return [generator.normal(0, 2, (2, n, 12)).astype("float32") for n in (5, 7, 7)]


@pytest.mark.parametrize("num_heads", [1, 3])
def test_equals_the_definition(num_heads, tokens):
    layer = Attention(num_heads)
    np.testing.assert_allclose(layer(*tokens), attend(*tokens, num_heads), rtol=0, atol=1e-5)
    with plain_forms():
        np.testing.assert_allclose(layer(*tokens), attend(*tokens, num_heads), rtol=0, atol=1e-5)


def test_gradient_equals_plain_keras(tokens, assert_same):
    class Plain(keras.layers.Layer):
        def call(self, *tokens):
            heads = [ops.reshape(x, (2, -1, 3, 4)) for x in tokens]
            return ops.reshape(ops.dot_product_attention(*heads), (2, 5, 12))

    assert_same(Attention(3), Plain(), *tokens)


def test_large_scores_stay_finite(tokens):
    outputs = np.asarray(Attention(2)(*(100 * x for x in tokens)))
    assert np.isfinite(outputs).all()


def test_bfloat16(tokens):
    outputs = Attention(3, dtype="mixed_bfloat16")(*tokens)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.cast(outputs, "float32"), attend(*tokens, 3), rtol=0, atol=0.15)


def test_any_number_of_tokens():
    inputs = [keras.Input((None, 6)) for _ in range(3)]
    model = keras.Model(inputs, Attention(2)(*inputs))
    assert model.output_shape == (None, None, 6)
    for n in (4, 9):
        ones = np.ones((1, n, 6), "float32")
        np.testing.assert_allclose(model.predict([ones, ones, ones * 3], verbose=0), ones * 3, rtol=1e-6)
