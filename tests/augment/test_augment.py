"""Laws of the whole augmentation, whatever was drawn."""

from __future__ import annotations

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.augment import augment

BATCH, CLASSES, LOAD, SIZE = 3, 5, (12, 18), (8, 11)
few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """A batch of which each image shows its labels as colours, and the parameters of its geometry and its mixing."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, (BATCH, *LOAD)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.1] = 255
    turn = random.uniform(-0.6, 0.6, BATCH)
    zoom = random.uniform(0.7, 2.0, (BATCH, 2, 1)) * random.choice([-1, 1], (BATCH, 2, 1))
    linear = zoom * np.stack([np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn)], 1).reshape(-1, 2, 2)
    centre = np.array([[LOAD[1]], [LOAD[0]]]) / 2 + random.uniform(-3, 3, (BATCH, 2, 1))
    shift = centre - linear @ np.array([[SIZE[1]], [SIZE[0]]]) / 2
    low = random.uniform(-2, 6, (BATCH, 2))
    parameters = {
        "affine": np.concatenate([linear, shift], axis=2).astype(np.float32),
        "partner": random.integers(0, BATCH, BATCH).astype(np.int32),
        "cutmix": np.concatenate([low, low + random.uniform(0, 6, (BATCH, 2))], axis=1).astype(np.float32),
        "paste": random.random((BATCH, CLASSES)) < 0.3,
    }
    return paint(labels), labels, parameters


def paint(labels: np.ndarray) -> np.ndarray:
    """Labels as colours; 0 where there is none, as outside the picture."""
    return np.repeat(((labels + np.uint8(1)) * np.uint8(20))[..., None], 3, axis=-1)


def run(images, labels, parameters, function=augment) -> tuple[np.ndarray, np.ndarray]:
    tensors = [keras.ops.convert_to_tensor(v) for v in (images, labels)]
    result = function(*tensors, {key: keras.ops.convert_to_tensor(v) for key, v in parameters.items()}, SIZE)
    return tuple(keras.ops.convert_to_numpy(v) for v in result)


def compiled(images, labels, parameters, size):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(augment, static_argnums=3)(images, labels, parameters, size)
    import tensorflow as tf

    return tf.function(lambda *batch: augment(*batch, size), jit_compile=True)(images, labels, parameters)


@few
@given(seeds)
def test_the_label_set_never_grows(seed: int) -> None:
    images, labels, parameters = draw(seed)
    pictures, found = run(images, labels, parameters)
    assert pictures.shape == (BATCH, *SIZE, 3)
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() <= pictures.max() <= 255
    assert found.shape == (BATCH, *SIZE)
    assert found.dtype == np.uint8
    assert set(np.unique(found)) <= {*np.unique(labels), 255}


@few
@given(seeds)
def test_image_and_labels_are_the_same_picture(seed: int) -> None:
    """Where all four pixels that a bilinear one is made of have one label, it is exactly that label's colour."""
    _, labels, parameters = draw(seed)
    blocks = np.repeat(np.repeat(labels[:, ::4, ::6], 4, axis=1), 6, axis=2)
    pictures, found = run(paint(blocks), blocks, parameters)
    painted = paint(found).astype(float)
    # A pixel is within a block if the four around it are: then bilinear is exact. Block edges and the rim are mixtures.
    exact = np.abs(pictures - painted).max(axis=-1) < 1e-3
    assert exact.mean() > 0.5
    between = ~exact
    low, high = painted.min(), painted.max()
    assert (pictures[between] >= low - 1e-3).all()
    assert (pictures[between] <= high + 1e-3).all()


@few
@given(seeds)
def test_what_lies_outside_is_black_and_ignored(seed: int) -> None:
    images, _, parameters = draw(seed)
    full = np.zeros((BATCH, *LOAD), np.uint8)
    geometry = {"affine": parameters["affine"]}
    pictures, found = run(np.full_like(images, 200), full, geometry)
    outside = found == 255
    affine = parameters["affine"].astype(float)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    places = np.einsum("bij,jhw->bihw", affine, np.stack([x, y, np.ones_like(x)]))
    distance = np.minimum(places + 0.5, np.array([LOAD[1], LOAD[0]])[:, None, None] - 0.5 - places).min(axis=1)
    clear = np.abs(distance) > 1e-4  # float32 decides what lies on the very edge
    np.testing.assert_array_equal(outside[clear], distance[clear] < 0)
    assert (pictures[outside] == 0).all()
    np.testing.assert_allclose(pictures[~outside], 200, atol=1e-3)
    _, mixed = run(images, full, parameters)
    assert not (mixed == 255)[~outside].any()  # what lies outside of one sample is not mixed into another


def test_no_strength_is_the_identity() -> None:
    images, labels, _ = draw(3)
    nothing = {
        "affine": np.tile(np.eye(2, 3, dtype=np.float32), (BATCH, 1, 1)),
        "partner": np.array([1, 2, 0], np.int32),
        "cutmix": np.zeros((BATCH, 4), np.float32),
        "paste": np.zeros((BATCH, CLASSES), bool),
    }
    pictures, found = run(images, labels, nothing, lambda i, t, p, _: augment(i, t, p, LOAD))
    np.testing.assert_array_equal(pictures, images)
    np.testing.assert_array_equal(found, labels)


def test_compiled_is_the_same_as_eager() -> None:
    for array, reference in zip(run(*draw(5), compiled), run(*draw(5)), strict=True):
        # XLA may fuse a product and a sum into one rounding, which moves a coordinate by 1e-6 of a pixel
        np.testing.assert_allclose(array, reference, atol=2e-3)
