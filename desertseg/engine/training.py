"""The compiled training step: augmentation, network, loss, update and confusion matrix in one program."""

from __future__ import annotations

from typing import Any

import keras

from desertseg.augment import resample
from desertseg.losses import CrossEntropy, Dice, Focal, FocalDice
from desertseg.models import Segmenter

LOSSES = {"focal_dice": FocalDice, "cross_entropy": CrossEntropy, "focal": Focal, "dice": Dice}


class Trainer(keras.Model):
    """A segmenter with the augmentation in front, for `compile` and `fit`.

    A batch is `({"image": uint8 (B, Hl, Wl, 3), "affine": float32 (B, 2, 3)}, labels uint8 (B, Hl, Wl))` as
    `load_dataset(augmentation=...)` delivers it, at load size. The affine matrices come with the batch and nothing is
    drawn here, so a step is a pure function of the variables and the batch. Image and labels are resampled by the same
    matrices: the image before the network, the labels before loss and metric, two uses that the compiler merges.

    Args:
        segmenter: the model to train; its variables are the trainer's.
        size: training size (height, width).
    """

    def __init__(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        super().__init__(name="trainer", autocast=False)  # coordinates in bfloat16 would miss by pixels
        self.segmenter = segmenter
        self.size = size

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        images = resample(inputs["image"], inputs["affine"], self.size)
        return self.segmenter(images, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return super().compute_loss(x, self._augmented(x, y), y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().compute_metrics(x, self._augmented(x, y), y_pred, sample_weight)

    def _augmented(self, inputs: dict[str, Any], labels: Any) -> Any:
        return resample(inputs["image"], inputs["affine"], self.size, labels)[1]
