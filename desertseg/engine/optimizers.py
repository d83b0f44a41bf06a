"""Optimisers and learning-rate schedules from a recipe."""

from __future__ import annotations

import keras

from desertseg.engine.recipe import OptimizerRecipe


def build_optimizer(recipe: OptimizerRecipe, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    """Return AdamW whose learning rate rises linearly for the warm-up and then falls to zero along a cosine.

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, and "SGDR", 2017, equation 5. The decay
    spares biases and the scale and shift of normalisations, which it would only pull towards a smaller function.
    """
    total = max(1, steps_per_epoch * epochs)
    warmup = min(round(recipe.warmup_epochs * steps_per_epoch), total - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=total - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
        name="warmup_cosine",
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay, name="adamw")
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer
