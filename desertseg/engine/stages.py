"""The stages of a training: for its first epochs the backbone may be closed, then it is as open as the recipe says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from desertseg.data.statistics import ClassIndex
from desertseg.engine.devices import Devices
from desertseg.engine.network import build_network
from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.plan import Plan
from desertseg.engine.program import Program
from desertseg.engine.remember import remember_classes
from desertseg.models import Segmenter
from desertseg.models.freezing import freeze_backbone, open_backbone


class Stages:
    """Builds the network once and a `Program` for each stage.

    What is closed keeps its batch normalisation in inference mode. An optimiser begins anew with its stage: the moments
    of what was closed are unknown, and Adam's correction for a young moment goes by one step count for all variables.

    Args:
        plan: of the training.
        loss: what is minimised.
        devices: that share each step.
        index: of the training frames' classes, where it was made.
        fresh: whether the recipe's weights are read, or a state is to come that has its own.
    """

    def __init__(
        self,
        plan: Plan,
        loss: keras.losses.Loss,
        devices: Devices,
        index: ClassIndex | None = None,
        *,
        fresh: bool = True,
    ) -> None:
        self._plan, self._loss, self._devices = plan, loss, devices
        with self._built():
            self.segmenter, self.told = build_network(plan.recipe, plan.labels, load=fresh)
        self.segmenter.familiarity = remember_classes(plan, index)

    def of_epoch(self, epoch: int) -> int:
        """Return 0 in the frozen epochs and 1 behind them; epochs count from 0."""
        return int(epoch >= self._plan.recipe.train.frozen_epochs)

    def program(self, stage: int, average: Mapping[int, np.ndarray] | None = None) -> Program:
        """Return the program of a stage; the weights are those that the network has now."""
        recipe = self._plan.recipe
        _open(self.segmenter, stage)
        with self._built():
            return Program(
                self.segmenter,
                self._loss,
                build_optimizer(recipe.optimizer, self.segmenter),
                recipe.data.size,
                accumulate=recipe.train.accumulate,
                auxiliary_weight=recipe.loss.auxiliary_weight,
                ema_decay=recipe.optimizer.ema_decay,
                average=average,
                deterministic=recipe.train.deterministic,
                devices=self._devices,
            )

    @contextmanager
    def _built(self) -> Iterator[None]:
        """Seed what Keras draws its initialisers' seeds from, and set the dtype policy.

        Keras' own `set_random_seed` would import TensorFlow.
        """
        state, policy = random.getstate(), keras.config.dtype_policy()
        random.seed(self._plan.recipe.train.seed)
        keras.config.set_dtype_policy("mixed_bfloat16" if self._plan.recipe.train.mixed_precision else "float32")
        try:
            yield
        finally:
            random.setstate(state)
            keras.config.set_dtype_policy(policy)


def _open(segmenter: Segmenter, stage: int) -> None:
    """Close the whole backbone in stage 0; else as many blocks are open as the segmenter says."""
    backbone: Any = getattr(segmenter.network, "backbone", None)
    if stage == 0:
        freeze_backbone(backbone, 0)
    elif segmenter.open_blocks is not None:
        freeze_backbone(backbone, segmenter.open_blocks)
    elif backbone is not None:
        open_backbone(backbone)
