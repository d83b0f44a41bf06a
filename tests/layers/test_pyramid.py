import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.layers.pyramid import AdaptiveAveragePooling, Rescale


@settings(max_examples=5, deadline=None, derandomize=True)
@given(size=st.tuples(st.integers(1, 13), st.integers(1, 13)), grid=st.sampled_from((1, 2, 3, 6)))
def test_every_window_is_its_own_mean(size, grid):
    picture = np.random.default_rng(0).normal(size=(1, *size, 2)).astype("float32")
    found = np.asarray(AdaptiveAveragePooling(grid)(picture))
    for y, x in np.ndindex(grid, grid):
        # PyTorch's definition of the windows.
        rows, columns = (
            slice(i * n // grid, int(np.ceil((i + 1) * n / grid))) for i, n in zip((y, x), size, strict=True)
        )
        np.testing.assert_allclose(found[0, y, x], picture[0, rows, columns].mean((0, 1)), rtol=0, atol=1e-5)


def test_pooling_within_a_model_takes_two_sizes():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, AdaptiveAveragePooling(3)(inputs))
    assert model.output_shape == (None, 3, 3, 3)
    for size in ((5, 9), (2, 4)):
        picture = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
        expected = np.asarray(AdaptiveAveragePooling(3)(picture))
        np.testing.assert_allclose(model.predict(picture, verbose=0), expected, rtol=0, atol=1e-6)


def test_the_mean_is_taken_in_float32():
    ones = np.ones((1, 64, 64, 1), "float32")  # bfloat16 counts to 256
    assert np.asarray(keras.ops.cast(AdaptiveAveragePooling(1, dtype="bfloat16")(ones), "float32")).item() == 1


@pytest.mark.parametrize(("factor", "size"), [(4, (20, 28)), (2, (10, 14)), (0.5, (3, 4)), (0.25, (2, 2))])
def test_rescale_by_a_factor_rounds_up(factor, size):
    picture = np.random.default_rng(0).normal(size=(1, 5, 7, 2)).astype("float32")
    layer = Rescale(factor)
    assert layer(picture).shape == (1, *size, 2) == layer.compute_output_shape(picture.shape)
    inputs = keras.Input((None, None, 2))
    np.testing.assert_allclose(
        keras.Model(inputs, layer(inputs)).predict(picture, verbose=0), layer(picture), rtol=0, atol=1e-6
    )


def test_half_is_the_mean_of_four():
    picture = np.random.default_rng(0).normal(size=(1, 4, 6, 2)).astype("float32")
    expected = picture.reshape(1, 2, 2, 3, 2, 2).mean((2, 4))
    np.testing.assert_allclose(Rescale(0.5)(picture), expected, rtol=0, atol=1e-6)


def test_config_round_trip():
    assert AdaptiveAveragePooling.from_config(AdaptiveAveragePooling(6).get_config()).grid == 6
    assert Rescale.from_config(Rescale(0.5).get_config()).factor == 0.5
