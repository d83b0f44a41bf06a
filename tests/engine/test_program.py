"""The compiled step against what Keras, NumPy and a second program compute."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest

from desertseg.engine.compiled import compile_function
from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.program import Program
from desertseg.engine.recipe import OptimizerRecipe
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.losses import CrossEntropy, Dice, FocalDice, WeightedSum
from desertseg.metrics import count_confusion_numpy
from desertseg.models import Segmenter

SIZE, LOAD = (8, 12), (12, 18)


def build(*layers: Any) -> Segmenter:
    """A network whose every number can be computed by hand: one 1x1 convolution, after `layers`."""
    inputs = x = keras.Input((None, None, 3))
    for layer in layers:
        x = layer(x)
    kernel = keras.initializers.RandomNormal(seed=1)
    outputs = keras.layers.Conv2D(10, 1, kernel_initializer=kernel, name="classifier")(x)
    return Segmenter(keras.Model(inputs, outputs), load_labels("falcon"), SIZE)


def sgd(segmenter: Segmenter, **settings: Any) -> keras.optimizers.Optimizer:
    return build_optimizer(OptimizerRecipe(name="sgd", momentum=0.0, weight_decay=0.0, **settings), segmenter)


def weights(segmenter: Segmenter) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in segmenter.variables]


@pytest.fixture
def batch() -> tuple[dict[str, np.ndarray], np.ndarray]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4, *LOAD, 3), np.uint8)
    labels = generator.integers(0, 10, (4, *LOAD), np.uint8)
    labels[0, :6], labels[1, 3:] = 255, 255  # so that micro-batches have different masses
    crop = np.array([[1, 0, 3], [0, 1, 2]], np.float32)
    mirrored = np.array([[-1, 0, 14], [0, 1, 0]], np.float32)
    return {"image": images, "affine": np.stack([crop, mirrored, crop, mirrored])}, labels


def cut(array: np.ndarray) -> np.ndarray:
    """What the affine maps of `batch` mean, as slices."""
    parts = [(slice(2, 10), slice(3, 15)), (slice(0, 8), slice(14, 2, -1))] * 2
    return np.stack([a[rows, columns] for a, (rows, columns) in zip(array, parts, strict=True)])


def test_a_step_trains_on_the_augmented_pixels(batch) -> None:
    segmenter = build()
    inputs, labels = batch
    logits = segmenter.predict(cut(inputs["image"]), verbose=0)
    program = Program(segmenter, FocalDice(), sgd(segmenter), SIZE)
    loss = float(program.step(batch, 0.0, 1))
    assert loss == pytest.approx(float(FocalDice()(cut(labels), logits)), rel=1e-5)  # float32 sums in another order
    scores, mean = program.measured(1)
    np.testing.assert_array_equal(scores.confusion, count_confusion_numpy(cut(labels), logits.argmax(-1), 10))
    assert mean == pytest.approx(loss)
    program.forget()
    assert program.measured(1)[0].confusion.sum() == 0


def test_a_step_is_what_keras_own_trainer_does(batch) -> None:
    """Batch normalisation in training mode, an Adam update with the rate of that step, three steps."""
    ours, theirs = build(keras.layers.BatchNormalization()), build(keras.layers.BatchNormalization())
    theirs.set_weights(ours.get_weights())
    recipe = OptimizerRecipe(name="adam", weight_decay=0.0)
    program = Program(ours, CrossEntropy(), build_optimizer(recipe, ours), SIZE)
    theirs.compile(keras.optimizers.Adam(0.1), CrossEntropy())
    for number, rate in enumerate((0.1, 0.05, 0.02), 1):
        theirs.optimizer.learning_rate = rate
        expected = theirs.train_on_batch(cut(batch[0]["image"]), cut(batch[1]))
        assert float(program.step(batch, rate, number)) == pytest.approx(float(expected), rel=1e-4)
    program.publish()
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)  # Adam's quotient of small numbers


def test_accumulated_gradients_are_the_large_batch(batch) -> None:
    results = []
    for accumulate in (1, 2, 4):
        segmenter = build()
        loss = WeightedSum([CrossEntropy(class_weights=np.linspace(0.5, 2, 10)), CrossEntropy()], [0.5, 2.0])
        program = Program(segmenter, loss, sgd(segmenter), SIZE, accumulate=accumulate)
        losses = [float(program.step(batch, 0.1, n)) for n in (1, 2)]
        scores, _ = program.measured(2)
        results.append((losses, weights(segmenter), scores.confusion))
    for losses, after, confusion in results[1:]:
        assert losses == pytest.approx(results[0][0], rel=1e-5)
        for a, b in zip(after, results[0][1], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        np.testing.assert_array_equal(confusion, results[0][2])


def test_accumulated_dice_is_the_mean_of_the_micro_batches_by_their_pixels(batch) -> None:
    segmenter = build()
    logits, labels = segmenter.predict(cut(batch[0]["image"]), verbose=0), cut(batch[1])
    program = Program(segmenter, Dice(), sgd(segmenter), SIZE, accumulate=2)
    parts = [float(Dice()(labels[k::2], logits[k::2])) for k in (0, 1)]
    masses = [int((labels[k::2] != 255).sum()) for k in (0, 1)]
    assert float(program.step(batch, 0.0, 1)) == pytest.approx(np.average(parts, weights=masses), rel=1e-5)


def test_clipping_bounds_the_norm_of_all_gradients_together(batch) -> None:
    moves = []
    for clip in (0.0, 1e-3):
        segmenter = build()
        before = weights(segmenter)
        program = Program(segmenter, CrossEntropy(), sgd(segmenter, clip_norm=clip), SIZE)
        program.step(batch, 1.0, 1)
        program.publish()
        moves.append(np.concatenate([(a - b).ravel() for a, b in zip(weights(segmenter), before, strict=True)]))
    assert np.linalg.norm(moves[0]) > 1e-2
    np.testing.assert_allclose(moves[1], moves[0] * 1e-3 / np.linalg.norm(moves[0]), rtol=1e-3, atol=1e-8)


def test_averages_follow_the_weights_and_stand_in_for_them_for_a_while(batch) -> None:
    segmenter = build(keras.layers.BatchNormalization())
    program = Program(segmenter, CrossEntropy(), sgd(segmenter), SIZE, ema_decay=0.9)
    expected = weights(segmenter)
    for number in (1, 2, 3):
        program.step(batch, 0.5, number)
        program.publish()
        decay = min(0.9, (1 + number) / (10 + number))
        expected = [e * decay + w * (1 - decay) for e, w in zip(expected, weights(segmenter), strict=True)]
    raw = weights(segmenter)
    with program.averaged():
        inside = weights(segmenter)
    for a, b in zip(inside, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert all((a == b).all() for a, b in zip(weights(segmenter), raw, strict=True))
    assert np.abs(inside[-2] - raw[-2]).max() > 1e-3
    program.step(batch, 0.5, 4)  # the state is not disturbed


def test_the_auxiliary_head_adds_its_loss(batch) -> None:
    inputs = keras.Input((None, None, 3))
    heads = {n: keras.layers.Conv2D(10, 1, name=n)(inputs) for n in ("logits", "auxiliary")}
    segmenter = Segmenter(keras.Model(inputs, heads), load_labels("falcon"), SIZE)
    outputs = segmenter.outputs(cut(batch[0]["image"]))
    expected = sum(
        w * float(CrossEntropy()(cut(batch[1]), outputs[n])) for n, w in (("logits", 1.0), ("auxiliary", 0.4))
    )
    program = Program(segmenter, CrossEntropy(), sgd(segmenter), SIZE, auxiliary_weight=0.4)
    assert float(program.step(batch, 0.0, 1)) == pytest.approx(expected, rel=1e-5)


def test_the_first_step_without_a_finite_loss_is_remembered(batch) -> None:
    segmenter = build()
    program = Program(segmenter, CrossEntropy(), sgd(segmenter), SIZE)
    program.step(batch, 0.1, 1)
    assert program.bad_step() == 0
    for number, rate in ((2, float("inf")), (3, 0.1), (4, 0.1)):
        program.step(batch, rate, number)
    assert program.bad_step() == 3


def test_a_state_goes_on_as_if_nothing_had_happened(batch) -> None:
    """Dropout's seeds, batch statistics, Adam's moments, averages and what was measured are all part of it."""

    def start() -> Program:
        random.seed(5)  # of the dropout
        segmenter = build(keras.layers.BatchNormalization(), keras.layers.Dropout(0.3))
        optimizer = build_optimizer(OptimizerRecipe(), segmenter)
        return Program(segmenter, FocalDice(), optimizer, SIZE, accumulate=2, ema_decay=0.9)

    first = start()
    for number in (1, 2):
        first.step(batch, 0.01, number)
    kept = {name: np.array(value) for name, value in first.state().items()}
    for number in (3, 4):
        first.step(batch, 0.01, number)
    second = start()
    second.step(batch, 0.3, 1)  # anything, to be forgotten
    second.load(kept)
    for number in (3, 4):
        second.step(batch, 0.01, number)
    expected, found = first.state(), second.state()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(value), np.asarray(found[name]), err_msg=name)
    seeds = [v for v in second.segmenter.non_trainable_variables if "seed" in v.path]
    assert len(seeds) == 1


def test_a_state_of_another_network_is_refused(batch) -> None:
    one, other = build(), build(keras.layers.BatchNormalization())
    state = Program(one, CrossEntropy(), sgd(one), SIZE).state()
    with pytest.raises(UserError, match=r"the state has no .* of shape .*; go on with that one"):
        Program(other, CrossEntropy(), sgd(other), SIZE).load(state)


def test_mixed_precision_leaves_pixels_and_coordinates_alone() -> None:
    """In bfloat16 this crop of a wide frame would begin three pixels early, and its images would be rounded."""
    segmenter = build()
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 600, 3)).astype(np.float32)
    affine = np.array([[[1, 0, 515], [0, 1, 0]]], np.float32)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = Segmenter(segmenter.network, segmenter.labels, SIZE)
        program = Program(mixed, CrossEntropy(), sgd(mixed), SIZE)
        seen, _ = program.augmented({"image": images, "affine": affine}, np.zeros((1, 8, 600), np.uint8))
        logits = mixed(seen)
    finally:
        keras.config.set_dtype_policy(previous)
    np.testing.assert_array_equal(np.asarray(seen), images[:, :, 515:527])
    np.testing.assert_allclose(np.asarray(logits), segmenter.predict(images[:, :, 515:527], verbose=0), atol=1e-4)


def test_a_compiled_function_follows_the_weights(batch) -> None:
    segmenter = build()
    images = cut(batch[0]["image"])
    run = compile_function(lambda x: segmenter(x, training=False), segmenter)
    before = np.asarray(run(images))
    np.testing.assert_allclose(before, segmenter.predict(images, verbose=0), atol=1e-5)
    bias = segmenter.trainable_variables[-1]
    bias.assign(bias + 1.0)
    np.testing.assert_allclose(np.asarray(run(images)), before + 1.0, atol=1e-5)
