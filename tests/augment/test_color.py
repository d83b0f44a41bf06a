"""Colour matrix, gamma and noise, held against NumPy in float64."""

import keras
import numpy as np

from desertseg.augment.color import add_noise, adjust_color, adjust_gamma, noise_tile


def run(function, *arrays):
    """Return the compiled function's result: JAX would compile an eager one operation by operation."""
    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(function)
    return keras.ops.convert_to_numpy(function(*(keras.ops.convert_to_tensor(a) for a in arrays)))


IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 5, 7, 3)).astype(np.float32)


def test_the_colour_matrix_is_a_matrix_product():
    matrix = np.random.default_rng(1).normal(0, 1, (3, 3, 4)).astype(np.float32)
    expected = np.einsum("bhwj,bij->bhwi", IMAGES.astype(np.float64), matrix[..., :3]) + matrix[:, None, None, :, 3]
    np.testing.assert_allclose(run(adjust_color, IMAGES, matrix), expected, atol=2e-4)  # float32 sums of 3 x 255


def test_gamma_is_a_power_and_1_changes_nothing():
    gamma = np.float32([0.5, 1, 2.2])
    result = run(adjust_gamma, IMAGES, gamma)
    expected = 255 * (IMAGES.astype(np.float64) / 255) ** gamma[:, None, None, None]
    np.testing.assert_allclose(result, expected, atol=1e-3)  # float32 powers: 4e-6 of 255
    np.testing.assert_array_equal(result[1], IMAGES[1])


def test_noise_is_the_tile_from_the_samples_own_place_on():
    deviation, offset = np.float32([0, 4, 9]), np.int32([[0, 0], [3, 255], [65535, 1000]])
    tile = noise_tile().reshape(256, 256, 3).astype(np.float64)
    result = run(add_noise, IMAGES, deviation, offset)
    for sample in range(3):
        rows, columns = ((offset[sample, k] + np.arange((5, 7)[k])) % 256 for k in (0, 1))
        expected = IMAGES[sample] + deviation[sample] * tile[rows][:, columns]
        np.testing.assert_allclose(result[sample], expected, atol=1e-4)
    np.testing.assert_array_equal(result[0], IMAGES[0])


def test_the_tile_is_standard_normal():
    tile = noise_tile()
    assert abs(tile.mean()) < 0.01
    assert abs(tile.std() - 1) < 0.01
    assert abs(np.mean(np.abs(tile) > 1.96) - 0.05) < 0.002
