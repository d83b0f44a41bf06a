"""Tint, shadow, dust and glare, each held against NumPy in float64, and what each of them means."""

import cv2
import keras
import numpy as np
import pytest

from desertseg.augment.desert_light import add_glare, add_haze, cast_shadow, find_horizon, tint_ground

HEIGHT, WIDTH = 12, 16
SKY = np.int32([4, 4])
HORIZON = np.float32([5, 5])
ATOL = 5e-3  # float32 against float64, of 255


@pytest.fixture
def frames():
    """Images float32 (2, 12, 16, 3), and labels: sky above row 5 with a tree in it, ground below, a corner unknown."""
    labels = np.full((2, HEIGHT, WIDTH), 1, np.uint8)
    labels[:, :5] = 4
    labels[:, 2:8, 3:5] = 0
    labels[:, -2:, -3:] = 255
    return np.random.default_rng(0).uniform(0, 255, (2, HEIGHT, WIDTH, 3)).astype(np.float32), labels


def run(function, *arrays):
    """Return the compiled function's result: JAX would compile an eager one operation by operation."""
    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(function)
    return keras.ops.convert_to_numpy(function(*(keras.ops.convert_to_tensor(a) for a in arrays)))


def rows():
    """How far each row lies below the horizon, in heights; (12, 1)."""
    return ((np.arange(HEIGHT) + 0.5 - 5) / HEIGHT)[:, None]


def test_the_horizon_parts_sky_from_ground(frames):
    _, labels = frames
    np.testing.assert_array_equal(run(find_horizon, labels, SKY), [5, 5])
    np.testing.assert_array_equal(run(find_horizon, labels, np.int32([-1, 3])), [0, 0])
    all_sky = np.full((1, HEIGHT, WIDTH), 4, np.uint8)
    np.testing.assert_array_equal(run(find_horizon, all_sky, SKY[:1]), [HEIGHT])


def test_a_shadow_takes_its_share_where_the_field_is_above_0(frames):
    images, labels = frames
    shadow, field = (
        np.float32([[0.6, 0.55, 0.45, 0.2], [0, 0, 0, 1]]),
        np.random.default_rng(1).normal(0, 0.3, (2, 3, 4)),
    )
    result = run(cast_shadow, images, labels, SKY, HORIZON, shadow, np.float32(field))
    level = cv2.resize(field[0], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) / 0.2
    t = np.clip(level + 0.5, 0, 1)
    below = rows()
    mask = (3 * t**2 - 2 * t**3) * (labels[0] != 4) * np.minimum(images[0].max(-1) / 56.0, 1)
    mask = mask * np.where(below < 0, 0.5 * np.exp(below / 0.12), 1 - 0.5 * np.exp(-below / 0.06))
    np.testing.assert_allclose(result[0], images[0] * (1 - mask[..., None] * shadow[0, :3].astype(float)), atol=ATOL)
    np.testing.assert_array_equal(result[1], images[1])
    np.testing.assert_array_equal(result[0][labels[0] == 4], images[0][labels[0] == 4])
    assert mask.max() > 0.9


def test_dust_is_densest_at_the_horizon(frames):
    images, _ = frames
    haze = np.float32([[200, 180, 140, 0.6, 0.2, 0.3], [200, 180, 140, 0, 0.2, 0.3]])
    field = np.random.default_rng(1).uniform(0.5, 1.9, (2, 3, 4))
    result = run(add_haze, images, HORIZON, haze, np.float32(field))
    below = rows()
    depth = np.where(below > 0, 0.2 / (0.2 + below), np.exp(below / 0.3))
    opacity = np.clip(0.6 * depth * cv2.resize(field[0], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), 0, 1)[
        ..., None
    ]
    np.testing.assert_allclose(result[0], (1 - opacity) * images[0] + opacity * haze[0, :3], atol=ATOL)
    np.testing.assert_array_equal(result[1], images[1])


def test_glare_is_brightest_at_the_sun_and_its_disc_lies_in_the_sky(frames):
    images, labels = frames
    light = np.array([1, 0.85, 0.6])
    glare = np.float32([[0.6, 0.5, 0.1, *light, 0.8], [0.6, 0.5, 0.1, *light, 0]])
    result = run(add_glare, images, labels, SKY, HORIZON, glare)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = ((x - 0.6 * WIDTH) ** 2 + (y - 0.5 * 5) ** 2) / (0.1 * HEIGHT) ** 2
    bloom = (
        1.2 * np.exp(-distance / 2) * (labels[0] == 4) + 0.5 / (1 + distance / 6) + 0.35 / (1 + distance / 60) + 0.12
    )
    dimmed = images[0] * (1 - 0.4 * (1 - light))
    expected = 255 - (255 - dimmed) * (1 - np.minimum(0.8 * bloom, 1)[..., None] * np.sqrt(light)) - 0
    np.testing.assert_allclose(result[0], expected, atol=ATOL)
    np.testing.assert_array_equal(result[1], images[1])


def test_tinted_ground_takes_the_target_colour_by_the_weight_of_its_class(frames):
    images, labels = frames
    weights = np.zeros((2, 256), np.float32)
    weights[:, [0, 1, 255]] = 0.3, 1, 1
    target = np.float32([[180, 90, 60, 0.7], [180, 90, 60, 0]])
    result = run(tint_ground, images, labels, target, weights)
    weight = weights[0][labels[0]].astype(float)
    ground = (weight**3 * (labels[0] != 255))[..., None]
    image, color = images[0].astype(float), target[0, :3].astype(float)
    mean = (image * ground)[::4, ::4].sum((0, 1)) / ground[::4, ::4].sum()
    gray = np.array([0.299, 0.587, 0.114])
    light = (image @ gray / (mean @ gray))[..., None]
    shoulder = 3 * (color @ gray / 255) ** 2
    tinted = color * light * (1 + shoulder) / (1 + shoulder * light) + 0.35 * (image - mean * light)
    np.testing.assert_allclose(
        result[0], np.clip(image + 0.7 * weight[..., None] * (tinted - image), 0, 255), atol=0.02
    )
    np.testing.assert_array_equal(result[1], images[1])
    np.testing.assert_array_equal(result[0][labels[0] == 4], images[0][labels[0] == 4])


def test_even_ground_becomes_the_target():
    images = np.full((1, 4, 4, 3), (90, 80, 70), np.float32)
    result = run(
        tint_ground, images, np.ones((1, 4, 4), np.uint8), np.float32([[180, 90, 60, 1]]), np.ones((1, 256), np.float32)
    )
    np.testing.assert_allclose(result, np.broadcast_to([180, 90, 60], result.shape), atol=1e-3)
