"""CutMix and copy-paste, held against loops in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.augment.mixing import mix

BATCH, HEIGHT, WIDTH, CLASSES = 3, 5, 7, 4
EFFECTS = (("cutmix",), ("paste",), ("paste", "paste_over"), ("cutmix", "paste", "paste_over"))


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Images, labels (some ignored) and parameters: boxes that may be empty or reach outside."""
    random = np.random.default_rng(seed)
    images = random.uniform(0, 255, (BATCH, HEIGHT, WIDTH, 3)).astype(np.float32)
    labels = random.integers(0, CLASSES + 1, (BATCH, HEIGHT, WIDTH)).astype(np.uint8)
    labels[labels == CLASSES] = 255
    return (
        images,
        labels,
        {
            "partner": random.integers(0, BATCH, BATCH).astype(np.int32),
            "cutmix": random.integers(-2, 9, (BATCH, 4)).astype(np.float32),
            "paste": random.random((BATCH, CLASSES)) < 0.5,
            "paste_over": random.random((BATCH, CLASSES)) < 0.7,
        },
    )


def expect(images: np.ndarray, labels: np.ndarray, parameters: dict) -> tuple[np.ndarray, np.ndarray]:
    mixed, mixed_labels = images.copy(), labels.copy()
    for b, y, x in np.ndindex(labels.shape):
        other = parameters["partner"][b]
        top, left, bottom, right = parameters["cutmix"][b] if "cutmix" in parameters else (0, 0, 0, 0)
        mine, its = labels[b, y, x], labels[other, y, x]
        takes = top <= y < bottom and left <= x < right and its != 255
        if "paste" in parameters and its != 255 and mine != 255 and parameters["paste"][b, its]:
            takes |= "paste_over" not in parameters or parameters["paste_over"][b, mine]
        if takes:
            mixed[b, y, x], mixed_labels[b, y, x] = images[other, y, x], its
    return mixed, mixed_labels


def run(images, labels, parameters, function=mix):
    tensors = [keras.ops.convert_to_tensor(v) for v in (images, labels)]
    result = function(*tensors, {key: keras.ops.convert_to_tensor(v) for key, v in parameters.items()})
    return tuple(keras.ops.convert_to_numpy(v) for v in result)


def compiled():
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(mix)
    import tensorflow as tf

    return tf.function(mix, jit_compile=True)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(EFFECTS))
def test_mix_takes_what_a_loop_would(seed: int, effects: tuple[str, ...]) -> None:
    images, labels, parameters = draw(seed)
    parameters = {key: parameters[key] for key in ("partner", *effects)}
    found, expected = run(images, labels, parameters), expect(images, labels, parameters)
    for array, reference in zip(found, expected, strict=True):
        assert array.dtype == reference.dtype
        np.testing.assert_array_equal(array, reference)


def test_compiled_is_the_same_as_eager() -> None:
    function = compiled()
    for seed in range(3):
        for array, reference in zip(run(*draw(seed), function), run(*draw(seed)), strict=True):
            np.testing.assert_array_equal(array, reference)


@pytest.mark.parametrize("as_type", [bool, np.uint8, np.float32])
def test_nothing_chosen_changes_nothing(as_type: type) -> None:
    images, labels, parameters = draw(0)
    nothing = {
        "partner": parameters["partner"],
        "cutmix": np.zeros((BATCH, 4), np.float32),
        "paste": np.zeros((BATCH, CLASSES), as_type),
    }
    for off in ({}, {"affine": np.zeros((BATCH, 2, 3))}, nothing):
        found, found_labels = run(images, labels, off)
        np.testing.assert_array_equal(found, images)
        np.testing.assert_array_equal(found_labels, labels)
