"""Optimisers from a recipe, with a learning rate and a weight decay for each variable."""

from __future__ import annotations

from typing import Any

import keras

from desertseg.engine.groups import decays, rate_factors
from desertseg.engine.recipe import OptimizerRecipe
from desertseg.models import Segmenter


class _PerVariable(keras.optimizers.Optimizer):
    """Multiplies each variable's learning rate and decays it on its own: one optimiser, one step count, one clip norm.

    `keras.optimizers.MultiOptimizer` has groups too, but clips each of them by its own norm and has no learning rate to
    set. The decay is decoupled from the gradient and scales with the variable's rate (Loshchilov & Hutter, "Decoupled
    Weight Decay Regularization", 2019), as PyTorch's AdamW has it.
    """

    factors: list[float]
    decay: list[float]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        rate = learning_rate * self.factors[index]
        if self.decay[index]:
            self.assign_sub(variable, variable * (rate * self.decay[index]))
        super().update_step(gradient, variable, rate)


class _Adam(_PerVariable, keras.optimizers.Adam):
    pass


class _SGD(_PerVariable, keras.optimizers.SGD):
    pass


def build_optimizer(recipe: OptimizerRecipe, segmenter: Segmenter) -> keras.optimizers.Optimizer:
    """Return the optimiser of a segmenter's trainable variables, built; its learning rate is to be set every step."""
    variables = segmenter.trainable_variables
    clip = recipe.clip_norm or None
    optimizer: Any
    if recipe.name == "sgd":
        optimizer = _SGD(recipe.learning_rate, momentum=recipe.momentum, global_clipnorm=clip, name="sgd")
    else:
        optimizer = _Adam(recipe.learning_rate, global_clipnorm=clip, name=recipe.name)
    optimizer.factors = rate_factors(recipe, segmenter, variables)
    decay = 0.0 if recipe.name == "adam" else recipe.weight_decay
    optimizer.decay = [decay * acts for acts in decays(variables)]
    optimizer.build(variables)
    return optimizer
