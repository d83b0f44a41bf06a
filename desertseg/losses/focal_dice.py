"""Focal plus Dice, the library's default loss."""

from __future__ import annotations

import keras

from desertseg.losses.dice import Dice
from desertseg.losses.focal import Focal
from desertseg.losses.weighted_sum import WeightedSum


@keras.saving.register_keras_serializable(package="desertseg")
class FocalDice(WeightedSum):
    """focal_weight * `Focal` + dice_weight * `Dice`.

    Focal asks for every pixel to be right and gives the smooth gradient; Dice asks for every class to be found, however
    few its pixels are, which is what the mean IoU counts.

    Args:
        gamma: of `Focal`.
        focal_weight, dice_weight: the weights of the sum. `Focal` is far smaller than `Dice` once the easy pixels are
            right; 4 to 1 makes them weigh alike on a half-trained network (measured: docs/decisions.md).
        smooth: of `Dice`.
        class_weights: C floats >= 0 for both terms, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(
        self,
        gamma=2.0,
        focal_weight=4.0,
        dice_weight=1.0,
        smooth=0.0,
        class_weights=None,
        ignore_index=255,
        name="focal_dice",
    ):
        focal = Focal(gamma, class_weights, ignore_index)
        dice = Dice(smooth, class_weights, ignore_index)
        super().__init__([focal, dice], [focal_weight, dice_weight], name)
        self.gamma = focal.gamma
        self.focal_weight, self.dice_weight = self.weights
        self.smooth = dice.smooth
        self.class_weights = focal.class_weights
        self.ignore_index = focal.ignore_index

    def get_config(self):
        keys = ("gamma", "focal_weight", "dice_weight", "smooth", "class_weights", "ignore_index", "name")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
