"""What a training consists of before its first step: frames, classes, steps and learning rates of a recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.data import Augmentation, Frame, count_batches, find_frames, load_dataset
from desertseg.data.folders import find_labels
from desertseg.data.statistics import ClassIndex, index_classes
from desertseg.engine.keeper import check_monitor, check_validation
from desertseg.engine.losses import build_loss, needs_counts
from desertseg.engine.network import resolve_model
from desertseg.engine.recipe import Recipe
from desertseg.engine.recipe.sections import AUTO
from desertseg.engine.schedules import learning_rates
from desertseg.errors import UserError, suggest
from desertseg.labels import LabelMap, load_labels


@dataclass(frozen=True)
class Plan:
    """A recipe with its data; made by `make_plan`, which refuses what cannot be trained before it costs anything.

    Attributes:
        data: the folder.
        recipe: with no "auto" left.
        labels: the label map.
        train, val: frames.
        steps: updates an epoch.
        notes: what was chosen for the user, a line each.
    """

    data: Path
    recipe: Recipe
    labels: LabelMap
    train: list[Frame]
    val: list[Frame]
    steps: int
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Frames in an update."""
        return self.recipe.train.batch_size * self.recipe.train.accumulate

    @cached_property
    def rates(self) -> np.ndarray:
        """The learning rate of every step, float64 (epochs * steps,)."""
        return learning_rates(self.recipe.optimizer, self.steps, self.recipe.train.epochs)

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(**dataclasses.asdict(self.recipe.augment))

    @property
    def needs_index(self) -> bool:
        """Whether the classes of the training frames have to be counted."""
        return needs_counts(self.recipe.loss) or self.augmentation.needs_index or self.recipe.data.balance > 0

    def index(self) -> ClassIndex | None:
        """Return which classes are in which training frame, from the cache or by reading every mask once."""
        return index_classes(self.train, self.labels) if self.needs_index else None

    def loss(self, index: ClassIndex | None) -> keras.losses.Loss:
        return build_loss(self.recipe.loss, self.labels.num_classes, None if index is None else index.counts)

    def batches(self, index: ClassIndex | None, start: int, workers: int = 0, shard: tuple[int, int] = (0, 1)) -> Any:
        """Return the stream of batches from step `start` to the end of the training."""
        return load_dataset(
            self.train,
            labels=self.labels,
            size=self.recipe.data.size,
            batch_size=self.images,
            shuffle=True,
            seed=self.recipe.train.seed,
            epochs=self.recipe.train.epochs,
            start=start,
            augmentation=self.augmentation,
            resize=self.recipe.data.resize,
            workers=workers,
            index=index,
            balance=self.recipe.data.balance,
            shard=shard,
        )


def make_plan(data: str | Path, recipe: Recipe, *, resolved: bool = False) -> Plan:
    """Return the plan of a training.

    Args:
        data: the folder.
        recipe: what to train and how.
        resolved: whether the recipe has no "auto" left, as that of a run; its weights are then left alone.

    Raises:
        UserError: a network, a loss, a monitor, a folder or frames that cannot be used.
    """
    if not resolved:
        recipe = dataclasses.replace(recipe, model=resolve_model(recipe.model))
    recipe, labels, notes = resolve_labels(recipe, data)
    counts = np.ones((1, labels.num_classes), np.int64) if needs_counts(recipe.loss) else None
    build_loss(recipe.loss, labels.num_classes, counts)  # refused here rather than after the masks were counted
    check_monitor(recipe.train.monitor, labels.names)
    for name in recipe.augment.rare_classes:
        if name not in labels.names:
            known = f"label map '{labels.name}' has {', '.join(labels.names)}"
            raise UserError(f"augment.rare_classes names '{name}'{suggest(name, labels.names)}; {known}")
    train, val = find_frames(data, "train"), find_frames(data, "val")
    check_validation(val, labels, recipe.train.monitor)
    images = recipe.train.batch_size * recipe.train.accumulate
    if len(train) < images:
        fit = f"use --batch-size {len(train) // recipe.train.accumulate or 1}"
        fit += ", and --set train.accumulate=1" if recipe.train.accumulate > len(train) else ""
        raise UserError(f"{data} has {len(train)} training frames, fewer than one batch; {fit}")
    if recipe.train.frozen_epochs >= recipe.train.epochs:
        raise UserError(
            f"train.frozen_epochs is {recipe.train.frozen_epochs} of {recipe.train.epochs} epochs, so the backbone "
            "would never be opened; lower it, or set model.open_blocks to 0"
        )
    return Plan(Path(data), recipe, labels, train, val, count_batches(len(train), images, drop_remainder=True), notes)


def resolve_labels(recipe: Recipe, data: Any) -> tuple[Recipe, LabelMap, tuple[str, ...]]:
    """Return (the recipe with the name of a label map in place of "auto", that map, what to tell of the choice).

    Args:
        recipe: any.
        data: a folder, whose layout chooses; of frames, which have none, "auto" is falcon.

    Raises:
        UserError: no such map, or a data folder without a layout to choose by.
    """
    if recipe.data.labels != AUTO:
        return recipe, load_labels(recipe.data.labels), ()
    labels, line = find_labels(data) if isinstance(data, (str, Path)) else (load_labels("falcon"), "labels: falcon")
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, labels=labels.name)), labels, (line,)
