"""Laws of all photometric effects together, with parameters as the host draws them."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.augment.photometric import photometric
from desertseg.data import Augmentation
from desertseg.data.photometric import draw_photometric
from desertseg.labels import load_labels

SIZE = (24, 32)
COLOR = {"brightness": (0.4, 1.8), "contrast": (0.4, 1.8), "saturation": (0.0, 2.0), "hue": 30.0, "gamma": (0.5, 2.0)}
CHANCES = ("blur", "noise", "clahe", "shadow", "haze", "glare", "tint")
ALL = Augmentation(**COLOR, **dict.fromkeys(CHANCES, 1.0), shadow_strength=(0.3, 1.0), tint_strength=(0.2, 1.0))


def make_batch(seed, count=3):
    """Images float32 and labels of sky over other classes, both black and ignore in the last columns."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, *SIZE, 3)).astype(np.float32)
    labels = random.integers(0, 9, (count, *SIZE), np.uint8)
    labels[:, :10] = 9
    labels[:, -3:, :5] = 255
    images[:, :, -4:], labels[:, :, -4:] = 0, 255
    return images, labels


def draw(augmentation, seed, count=3):
    drawn = [draw_photometric(augmentation, load_labels("falcon"), seed, 0, sample, SIZE) for sample in range(count)]
    return {key: np.stack([d[key] for d in drawn]) for key in drawn[0]}


def compile_photometric():
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(photometric)
    import tensorflow as tf

    return tf.function(photometric)


@pytest.fixture(scope="module")
def apply():
    """The compiled function, on NumPy arrays."""
    compiled = compile_photometric()

    def run(images, labels, parameters):
        tensors = {key: keras.ops.convert_to_tensor(value) for key, value in parameters.items()}
        images, labels = (keras.ops.convert_to_tensor(a) for a in (images, labels))
        return keras.ops.convert_to_numpy(compiled(images, labels, tensors))

    return run


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_colours_stay_in_range_and_what_lies_outside_stays_black(apply, seed):
    images, labels = make_batch(seed)
    result = apply(images, labels, draw(ALL, seed))
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 255
    assert (result[:, :, -4:] == 0).all()
    assert np.abs(result - images)[:, :, :-4].mean() > 5


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_a_sample_does_not_depend_on_its_neighbours(apply, seed):
    images, labels = make_batch(seed)
    parameters = draw(ALL, seed)
    order = [2, 0, 1]
    turned = apply(images[order], labels[order], {key: value[order] for key, value in parameters.items()})
    # Not to the bit: XLA rounds what is left over of a vectorised loop otherwise, and where in the batch a sample lies
    # decides which of its pixels these are: 3e-5 of a grey level on a processor with AVX2 alone.
    np.testing.assert_allclose(turned, apply(images, labels, parameters)[order], rtol=0, atol=1e-4)


def test_strength_0_changes_nothing(apply):
    """Every effect is on, but none of the samples is hit: the same keys, at strength 0."""
    tiny = Augmentation(**COLOR, color=1e-12, **dict.fromkeys(CHANCES, 1e-12))
    images, labels = make_batch(1)
    parameters = draw(tiny, 5)
    assert set(parameters) == set(draw(ALL, 5))
    np.testing.assert_array_equal(apply(images, labels, parameters), images)


@pytest.mark.slow  # JAX compiles an eager function operation by operation
def test_eager_and_compiled_agree(apply):
    images, labels = make_batch(2)
    parameters = draw(ALL, 3)
    tensors = {key: keras.ops.convert_to_tensor(value) for key, value in parameters.items()}
    eager = keras.ops.convert_to_numpy(
        photometric(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels), tensors)
    )
    agree(eager, apply(images, labels, parameters))


def agree(one, other):
    """The compiler may fuse a product and a sum, so the last bits differ; CLAHE then rounds to another level here and
    there, which is 1 of 255, and what it does to the colours around grows no further."""
    difference = np.abs(one - other)
    assert difference.max() < 6
    assert np.mean(difference > 0.02) < 0.01


def test_no_effect_costs_nothing():
    images, labels = make_batch(0)
    assert photometric(images, labels, {"affine": np.zeros((3, 2, 3)), "cutmix": np.zeros((3, 4))}) is images


PROGRAM = """
import sys
import numpy as np
import keras
from desertseg.augment.photometric import photometric
data = dict(np.load(sys.argv[1]))
tensors = {key: keras.ops.convert_to_tensor(value) for key, value in data.items()}
result = photometric(tensors.pop("images"), tensors.pop("labels"), tensors)
np.save(sys.argv[2], keras.ops.convert_to_numpy(result))
"""


@pytest.mark.slow  # each effect is held against the same float64 reference on both backends in the fast suite
def test_the_other_backend_gives_the_same_pixels(apply, tmp_path):
    images, labels = make_batch(4)
    parameters = draw(ALL, 6)
    other = {"jax": "tensorflow", "tensorflow": "jax"}[keras.backend.backend()]
    np.savez(tmp_path / "batch.npz", images=images, labels=labels, **parameters)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "batch.npz"), str(tmp_path / "result.npy")]
    done = subprocess.run(
        command, env=os.environ | {"KERAS_BACKEND": other}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    agree(np.load(tmp_path / "result.npy"), apply(images, labels, parameters))
