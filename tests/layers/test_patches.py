import keras
import numpy as np
import pytest

from desertseg.layers.patches import PatchConvolution


def inputs(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("patch", "size"), [(2, (6, 8)), (3, (7, 11)), (4, (4, 5))])
def test_equals_plain_keras(patch, size, assert_same):
    layer = PatchConvolution(6, patch)
    values = inputs(2, *size, 5)
    assert_same(layer, keras.layers.Conv2D(6, patch, patch, "valid"), values)
    assert layer.compute_output_shape(values.shape) == layer(values).shape


def test_a_picture_smaller_than_a_patch_is_filled_up(differentiate):
    layer, values = PatchConvolution(3, 4), inputs(1, 3, 9, 2)
    small = differentiate(layer, values)[0]
    filled = differentiate(layer, np.pad(values, ((0, 0), (0, 1), (0, 0), (0, 0))))[0]
    assert small.shape == layer.compute_output_shape(values.shape) == (1, 1, 2, 3)
    np.testing.assert_allclose(small, filled, rtol=0, atol=1e-6)


def test_sizes_that_are_not_known_when_the_model_is_built():
    images = keras.Input((None, None, 2))
    layer = PatchConvolution(3, 4)
    model = keras.Model(images, layer(images))
    assert model.output_shape == (None, None, None, 3)
    for size in ((3, 9), (8, 9)):
        assert model.predict(inputs(2, *size, 2), verbose=0).shape == (2, size[0] // 4 or 1, 2, 3)


def test_config_round_trip_and_weights():
    layer = PatchConvolution(6, 3, name="p")
    twin = PatchConvolution.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    twin.build((None, None, None, 5))
    assert [(v.name, v.shape) for v in twin.weights] == [("kernel", (3, 3, 5, 6)), ("bias", (6,))]
