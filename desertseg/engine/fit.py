"""Training: a recipe and a folder in, a run folder with its best model out."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.data import Augmentation, Frame, count_batches, find_frames, load_dataset
from desertseg.engine.checkpoint import save_segmenter
from desertseg.engine.evaluate import measure
from desertseg.engine.inference import Inference
from desertseg.engine.network import build_network, resolve_model
from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.recipe import Recipe, RecipeError
from desertseg.engine.run import RunFolder
from desertseg.engine.training import LOSSES, Trainer
from desertseg.errors import UserError
from desertseg.files import replacing
from desertseg.labels import LabelMap, load_labels
from desertseg.metrics import MeanIoU, Scores
from desertseg.models import Segmenter
from desertseg.report import draw_curves, draw_per_class
from desertseg.terminal import ProgressLine, progress_line


@dataclass(frozen=True)
class Run:
    """What `fit` leaves: the folder, its best model, and that model's epoch and validation mean IoU."""

    folder: Path
    best: Path
    epoch: int
    miou: float
    definition: str


def fit(
    data: str | Path,
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    overwrite: bool = False,
    workers: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Return the run of a training on `data`/train; its model is the best by mean IoU on `data`/val at native size.

    Args:
        data: a folder of frames and masks with a train and a val split; without such folders the last fifth of every
            scene is held out.
        out: the run folder to make.
        recipe: what to train and how; the default recipe when None.
        overwrite: replace the run that `out` holds.
        workers: processes that decode frames; 0 decodes in threads.
        progress: print a progress bar and a line an epoch.
        **settings: changes to the recipe by name, such as `epochs=5`, `size=(96, 160)`, `backbone="resnet34"`.

    Raises:
        UserError: settings, data or a folder that cannot be used; the message says how to mend it.
    """
    recipe = (recipe or Recipe()).with_settings(**settings)
    recipe = dataclasses.replace(recipe, model=resolve_model(recipe.model))
    if recipe.loss.name not in LOSSES:
        raise RecipeError(f"loss.name is '{recipe.loss.name}'; it is one of {', '.join(LOSSES)}")
    labels = load_labels(recipe.data.labels)
    train, val = find_frames(data, "train"), find_frames(data, "val")
    batch_size = recipe.train.batch_size
    if len(train) < batch_size:
        raise UserError(f"{data} has {len(train)} training frames, fewer than one batch; use --batch-size {len(train)}")
    steps = count_batches(len(train), batch_size, drop_remainder=True)
    run = RunFolder(out, recipe, labels, str(data), overwrite=overwrite)
    trainer, told = _build_trainer(recipe, labels, steps)
    batches = load_dataset(
        train,
        labels=labels,
        size=recipe.data.size,
        batch_size=batch_size,
        shuffle=True,
        seed=recipe.train.seed,
        epochs=recipe.train.epochs,
        augmentation=Augmentation(flip=recipe.augment.flip, scale=recipe.augment.scale),
        resize=recipe.data.resize,
        workers=workers,
    )
    with progress_line("fit", steps * recipe.train.epochs * batch_size, "images", progress) as line:
        keeper = _Keeper(trainer, run, recipe, val, line)
        frames = f"{len(train)} training and {len(val)} validation frames"
        keeper.say(f"{data}: {frames}, {labels.num_classes} classes ({labels.name})")
        keeper.say(f"{_describe(recipe, trainer.segmenter)}; {steps} steps an epoch")
        for text in told:
            keeper.say(text)
        trainer.fit(
            batches, epochs=recipe.train.epochs, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[keeper]
        )
    if keeper.best is None:
        raise UserError(f"{data}: no pixel of the validation masks has a class; check the masks and the label map")
    return keeper.best


def _describe(recipe: Recipe, segmenter: Segmenter) -> str:
    """Return the network by name, and how many of its parameters are trained."""
    total = segmenter.count_params()
    trained = sum(math.prod(v.shape) for v in segmenter.trainable_variables)
    frozen = f", {trained:,} of them trained" if segmenter.open_blocks is not None else ""
    return f"{recipe.model.name} on {recipe.model.backbone}, {total:,} parameters{frozen}"


def _build_trainer(recipe: Recipe, labels: LabelMap, steps: int) -> tuple[Trainer, list[str]]:
    """Return the compiled trainer and what there is to tell of its weights; the seed decides every random one."""
    with _seed(recipe.train.seed), _dtype_policy("mixed_bfloat16" if recipe.train.mixed_precision else "float32"):
        segmenter, told = build_network(recipe, labels)
        trainer = Trainer(segmenter, recipe.data.size)
        trainer.compile(
            optimizer=build_optimizer(recipe.optimizer, steps, recipe.train.epochs),
            loss=LOSSES[recipe.loss.name](),
            metrics=[MeanIoU(labels.num_classes, name="miou")],
            jit_compile=keras.backend.backend() == "jax",  # TensorFlow's own CPU kernels beat its XLA ones by far
        )
    return trainer, told


@contextmanager
def _seed(seed: int) -> Iterator[None]:
    """Seed what Keras draws its initialisers' seeds from; its own `set_random_seed` would import TensorFlow."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


class _Keeper(keras.callbacks.Callback):
    """After every epoch: scores the validation frames, keeps the best model, writes history and pictures."""

    async_safe = True  # the batch hook reads no value, so Keras need not wait for the device after every step

    def __init__(
        self, trainer: Trainer, run: RunFolder, recipe: Recipe, val: Sequence[Frame], line: ProgressLine
    ) -> None:
        super().__init__()
        self.run, self.recipe, self.val, self.line = run, recipe, val, line
        self.inference = Inference(trainer.segmenter, trainer.loss)
        self.best: Run | None = None

    def say(self, text: str) -> None:
        self.line.note(text)
        self.run.log(text)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.line.describe(f"epoch {epoch + 1}/{self.recipe.train.epochs}")
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps = batch + 1
        self.line.advance(self.recipe.train.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        seconds = time.perf_counter() - self.started
        self.line.describe("validate")
        scores, val_loss, _ = measure(
            self.inference, self.val, self.recipe.data.size, batch_size=4, resize=self.recipe.data.resize
        )
        improved = not np.isnan(scores.miou) and (self.best is None or scores.miou > self.best.miou)
        if improved:
            self.best = Run(self.run.path, self.run.path / "best.keras", epoch + 1, scores.miou, scores.definition)
        self._record(epoch, logs or {}, scores, val_loss, seconds)
        self._save(scores, improved)

    def _record(self, epoch: int, logs: dict, scores: Scores, val_loss: float, seconds: float) -> None:
        rate = self.steps * self.recipe.train.batch_size / seconds
        row = {
            "epoch": epoch + 1,
            "loss": float(logs["loss"]),
            "miou": float(logs["miou"]),
            "val_loss": val_loss,
            "val_miou": float(scores.miou),
            "val_pixel_accuracy": float(scores.pixel_accuracy),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "seconds": round(seconds, 3),
            "images_per_second": round(rate, 3),
        }
        self.run.record({**row, "val_iou": scores.to_dict()["per_class_iou"]})
        best = "  best" if self.best and self.best.epoch == epoch + 1 else ""
        self.say(
            f"epoch {epoch + 1:3d}/{self.recipe.train.epochs}  loss {row['loss']:.4f}  train mIoU {row['miou']:.4f}  "
            f"val loss {val_loss:.4f}  val mIoU {scores.miou:.4f}  pixel accuracy {scores.pixel_accuracy:.4f}  "
            f"{rate:.1f} images/s{best}"
        )

    def _save(self, scores: Scores, improved: bool) -> None:
        segmenter, plots = self.inference.segmenter, self.run.path / "plots"
        save_segmenter(segmenter, self.run.path / "last.keras")
        with replacing(plots / "curves.png") as path:
            draw_curves(path, self.run.history)
        if improved:
            save_segmenter(segmenter, self.run.path / "best.keras")
            with replacing(plots / "per_class_iou.png") as path:
                draw_per_class(path, scores, segmenter.labels)
