import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from desertseg.layers import BroadcastLike, ResizeLike, resize_bilinear


def interpolate(image, height, width, align_corners):
    """Resize one (H, W, C) image in float64, pixel by pixel, from the definition."""

    def position(index, old, new):
        if align_corners:
            return index * (old - 1) / (new - 1) if new > 1 else 0.0
        return min(max((index + 0.5) * old / new - 0.5, 0.0), old - 1.0)

    result = np.zeros((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y, x = position(i, image.shape[0], height), position(j, image.shape[1], width)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, image.shape[0] - 1), min(x0 + 1, image.shape[1] - 1)
            top = image[y0, x0] * (1 - x + x0) + image[y0, x1] * (x - x0)
            bottom = image[y1, x0] * (1 - x + x0) + image[y1, x1] * (x - x0)
            result[i, j] = top * (1 - y + y0) + bottom * (y - y0)
    return result


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    old=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    new=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    align_corners=st.booleans(),
)
def test_equals_the_definition(old, new, align_corners):
    image = np.random.default_rng(0).normal(size=(*old, 2))
    found = resize_bilinear(ops.convert_to_tensor(image[None], "float32"), new, align_corners)
    np.testing.assert_allclose(found[0], interpolate(image, *new, align_corners), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 12), (8, 13), (3, 3)])
def test_gradient_equals_plain_keras(size, assert_same):
    class Plain(keras.layers.Layer):
        def call(self, inputs, reference):
            return ops.image.resize(inputs, size, "bilinear", antialias=False) + 0 * ops.sum(reference)

    class Ours(ResizeLike):
        def call(self, inputs, reference):
            return super().call(inputs, reference) + 0 * ops.sum(reference)

    generator = np.random.default_rng(0)
    inputs, reference = generator.normal(size=(2, 4, 3, 5)), generator.normal(size=(2, *size, 1))
    assert_same(Ours(), Plain(), inputs.astype("float32"), reference.astype("float32"))


@pytest.mark.parametrize("layer", [ResizeLike(), BroadcastLike()])
def test_follows_the_reference_at_run_time(layer):
    small, reference = keras.Input((1, 1, 3)), keras.Input((None, None, 2))
    model = keras.Model([small, reference], layer(small, reference))
    assert model.output_shape == (None, None, None, 3)
    value = np.arange(6, dtype="float32").reshape(2, 1, 1, 3)
    for size in ((2, 5), (4, 3)):
        outputs = model([value, np.zeros((2, *size, 2), "float32")])
        np.testing.assert_array_equal(outputs, np.broadcast_to(value, (2, *size, 3)))


def test_bfloat16_stays_bfloat16():
    inputs = ops.ones((1, 2, 2, 1), "bfloat16")
    assert keras.backend.standardize_dtype(resize_bilinear(inputs, (4, 4)).dtype) == "bfloat16"
