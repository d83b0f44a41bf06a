from __future__ import annotations

import keras
import numpy as np
import pytest

from desertseg.engine.compiled import compile_function
from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.recipe import OptimizerRecipe
from desertseg.engine.training import Trainer
from desertseg.labels import load_labels
from desertseg.losses import FocalDice
from desertseg.metrics import MeanIoU, count_confusion_numpy
from desertseg.models import Segmenter

SIZE, LOAD = (8, 12), (12, 18)


@pytest.fixture
def segmenter() -> Segmenter:
    """One 1x1 convolution: everything about it can be computed by hand."""
    inputs = keras.Input((None, None, 3))
    network = keras.Model(
        inputs, keras.layers.Conv2D(10, 1, kernel_initializer=keras.initializers.RandomNormal(seed=1))(inputs)
    )
    return Segmenter(network, load_labels("falcon"), SIZE)


@pytest.fixture
def batch() -> tuple[dict[str, np.ndarray], np.ndarray]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, *LOAD, 3), np.uint8)
    labels = random.integers(0, 10, (2, *LOAD), np.uint8)
    crop = np.array([[1, 0, 3], [0, 1, 2]], np.float32)
    mirrored = np.array([[-1, 0, 14], [0, 1, 0]], np.float32)
    return {"image": images, "affine": np.stack([crop, mirrored])}, labels


def cut(array: np.ndarray) -> np.ndarray:
    """What the two affine maps of `batch` mean, as slices."""
    return np.stack([array[0, 2:10, 3:15], array[1, 0:8, 14:2:-1]])


def test_a_step_trains_on_the_augmented_pixels(segmenter: Segmenter, batch) -> None:
    inputs, labels = batch
    trainer = Trainer(segmenter, SIZE)
    trainer.compile(keras.optimizers.SGD(0.0), loss=FocalDice(), metrics=[MeanIoU(10, name="miou")])
    result = trainer.train_on_batch(inputs, labels, return_dict=True)
    logits = segmenter.predict(cut(inputs["image"]), verbose=0)
    confusion = count_confusion_numpy(cut(labels), logits.argmax(-1), 10)
    np.testing.assert_array_equal(trainer.metrics[-1].metrics[0].confusion_matrix(), confusion)
    expected = float(FocalDice()(cut(labels), logits))
    assert float(result["loss"]) == pytest.approx(expected, rel=1e-5)  # float32 sums in another order


def test_mixed_precision_leaves_pixels_and_coordinates_alone(segmenter: Segmenter) -> None:
    """In bfloat16 this crop of a wide frame would begin three pixels early, and its images would be rounded."""
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 600, 3)).astype(np.float32)
    affine = np.array([[[1, 0, 515], [0, 1, 0]]], np.float32)
    expected = segmenter.predict(images[:, :, 515:527], verbose=0)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = Segmenter(segmenter.network, segmenter.labels, SIZE)
        logits = Trainer(mixed, SIZE)({"image": images, "affine": affine}, training=False)
    finally:
        keras.config.set_dtype_policy(previous)
    np.testing.assert_allclose(np.asarray(logits), expected, atol=1e-4)


def test_a_compiled_function_follows_the_weights(segmenter: Segmenter, batch) -> None:
    images = cut(batch[0]["image"])
    run = compile_function(segmenter, lambda x: segmenter(x, training=False))
    before = np.asarray(run(images))
    np.testing.assert_allclose(before, segmenter.predict(images, verbose=0), atol=1e-5)
    bias = segmenter.trainable_variables[-1]
    bias.assign(bias + 1.0)
    np.testing.assert_allclose(np.asarray(run(images)), before + 1.0, atol=1e-5)


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    recipe = OptimizerRecipe(learning_rate=0.4, warmup_epochs=2.0)
    rate = build_optimizer(recipe, steps_per_epoch=5, epochs=10)._learning_rate
    values = [float(rate(step)) for step in range(51)]
    np.testing.assert_allclose(values[:11], np.linspace(0, 0.4, 11), atol=1e-6)
    cosine = 0.2 * (1 + np.cos(np.pi * np.arange(41) / 40))
    np.testing.assert_allclose(values[10:], cosine, atol=1e-6)


def test_a_run_shorter_than_its_warm_up_still_trains() -> None:
    rate = build_optimizer(OptimizerRecipe(learning_rate=0.4, warmup_epochs=9.0), 2, 1)._learning_rate
    assert float(rate(1)) == pytest.approx(0.4)


def test_weight_decay_spares_norms_and_biases() -> None:
    layers = [keras.layers.Conv2D(2, 1), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
    optimizer = build_optimizer(OptimizerRecipe(learning_rate=0.1, weight_decay=0.5, warmup_epochs=0.0), 1, 1)
    optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape, np.float32))
    optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables])
    after = {v.path.split("/")[-1]: float(np.mean(np.asarray(v.value))) for v in model.trainable_variables}
    assert after == pytest.approx({"kernel": 0.95, "bias": 1.0, "gamma": 1.0, "beta": 1.0})
