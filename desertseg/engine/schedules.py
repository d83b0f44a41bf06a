"""Learning rates by step: a table that is known before the first step, so that the rate is data as all else is."""

from __future__ import annotations

import math

import numpy as np

from desertseg.engine.recipe import OptimizerRecipe

_ONE_CYCLE_RISE, _ONE_CYCLE_START, _ONE_CYCLE_END = 0.3, 1 / 25, 1e-4


def learning_rates(recipe: OptimizerRecipe, steps_per_epoch: int, epochs: int) -> np.ndarray:
    """Return the learning rate of every step: float64 (epochs * steps_per_epoch,).

    The warm-up rises linearly and reaches the full rate with its last step (or epoch); the schedule begins behind it.
    `per` = "epoch" holds the rate during an epoch. With t from 0 to 1 over what follows the warm-up, r the learning
    rate and f the final one:

        constant   r
        step       r * step_factor ** (epoch // step_epochs), counted from the first epoch
        poly       f + (r - f) * (1 - t) ** power               (Chen et al., DeepLab, 2018)
        cosine     f + (r - f) * (1 + cos(pi t)) / 2            (Loshchilov & Hutter, SGDR, 2017, equation 5)
        one_cycle  r / 25 -> r over the warm-up (0.3 of the run if that is 0), then -> f (r / 250,000 if that is 0),
                   both along cosines, as torch.optim.lr_scheduler.OneCycleLR has it (Smith & Topin, 2018)
    """
    steps = steps_per_epoch * epochs
    by_step = recipe.per == "step"
    unit = 1 if by_step else steps_per_epoch
    total = steps // unit
    at = np.arange(steps) // unit
    # A run shorter than its warm-up still reaches the full rate.
    warmup = min(round(recipe.warmup_epochs * (steps_per_epoch if by_step else 1)), total - 1)
    if recipe.schedule == "one_cycle":
        return _one_cycle(recipe, at, warmup, total)
    done = np.clip((at - warmup) / max(1, total - warmup), 0, 1)
    full, final = recipe.learning_rate, recipe.final_learning_rate
    rates = {
        "constant": lambda: np.full(steps, full),
        "step": lambda: full * recipe.step_factor ** (np.arange(steps) // steps_per_epoch // recipe.step_epochs),
        "poly": lambda: final + (full - final) * (1 - done) ** recipe.power,
        "cosine": lambda: final + (full - final) * (1 + np.cos(math.pi * done)) / 2,
    }[recipe.schedule]()
    return np.where(at < warmup, full * (at + 1) / max(1, warmup), rates)


def _one_cycle(recipe: OptimizerRecipe, at: np.ndarray, warmup: int, total: int) -> np.ndarray:
    first = recipe.learning_rate * _ONE_CYCLE_START
    final = recipe.final_learning_rate or first * _ONE_CYCLE_END
    top = (warmup or _ONE_CYCLE_RISE * total) - 1
    rise = np.clip(at / max(top, 1e-9), 0, 1)
    fall = np.clip((at - top) / max(total - 1 - top, 1e-9), 0, 1)
    up = recipe.learning_rate + (first - recipe.learning_rate) * (1 + np.cos(math.pi * rise)) / 2
    down = final + (recipe.learning_rate - final) * (1 + np.cos(math.pi * fall)) / 2
    return np.where(at <= top, up, down)
