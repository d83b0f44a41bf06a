"""Updates against PyTorch's formulas, written out in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.recipe import OptimizerRecipe
from desertseg.labels import load_labels
from desertseg.models import Segmenter

RATES = (0.01, 0.004, 0.004)  # of three steps; the rate of a step is set before it


@pytest.fixture
def segmenter() -> Segmenter:
    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(10, 1, bias_initializer="ones", name="classifier")(inputs)
    return Segmenter(keras.Model(inputs, outputs), load_labels("falcon"))


def train(segmenter: Segmenter, recipe: OptimizerRecipe, gradients: list[list[np.ndarray]]) -> list[np.ndarray]:
    optimizer = build_optimizer(recipe, segmenter)
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradient], segmenter.trainable_variables)
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in segmenter.trainable_variables]


def draw(segmenter: Segmenter) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    random = np.random.default_rng(0)
    start = [np.array(keras.ops.convert_to_numpy(v.value), float) for v in segmenter.trainable_variables]
    return start, [[random.normal(size=w.shape).astype(np.float32) for w in start] for _ in RATES]


def test_adamw_with_a_group_of_its_own(segmenter: Segmenter) -> None:
    """torch.optim.AdamW with two parameter groups: the decay is the rate's part of the weight, the bias has none."""
    expected, gradients = draw(segmenter)
    recipe = OptimizerRecipe(learning_rate=0.01, weight_decay=0.5, groups={"head": 0.03})
    found = train(segmenter, recipe, gradients)
    for index, decay in enumerate((0.5, 0.0)):  # kernel, bias
        weight, mean, square = expected[index], 0.0, 0.0
        for step, (rate, gradient) in enumerate(zip(RATES, gradients, strict=True), 1):
            rate, g = 3 * rate, gradient[index].astype(float)
            weight = weight * (1 - rate * decay)
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
            weight = weight - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(found[index], weight, rtol=1e-4, atol=1e-6)  # float32


def test_adam_does_not_decay(segmenter: Segmenter) -> None:
    start, gradients = draw(segmenter)
    zero = [[np.zeros_like(g) for g in gradient] for gradient in gradients]
    for before, after in zip(
        start, train(segmenter, OptimizerRecipe(name="adam", weight_decay=0.5), zero), strict=True
    ):
        np.testing.assert_array_equal(after, before.astype(np.float32))


def test_sgd_has_momentum_and_a_decay_apart_from_the_gradient(segmenter: Segmenter) -> None:
    expected, gradients = draw(segmenter)
    recipe = OptimizerRecipe(name="sgd", learning_rate=0.01, momentum=0.9, weight_decay=0.5)
    found = train(segmenter, recipe, gradients)
    for index, decay in enumerate((0.5, 0.0)):
        weight, move = expected[index], 0.0
        for rate, gradient in zip(RATES, gradients, strict=True):
            move = 0.9 * move - rate * gradient[index].astype(float)
            weight = weight * (1 - rate * decay) + move
        np.testing.assert_allclose(found[index], weight, rtol=1e-4, atol=1e-6)
