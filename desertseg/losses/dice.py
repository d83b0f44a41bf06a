"""Soft Dice loss, class by class over the whole batch."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.losses.pixels import LossError
from desertseg.losses.regions import RegionLoss


@keras.saving.register_keras_serializable(package="desertseg")
class Dice(RegionLoss):
    """The mean over the classes present in the batch's truth of 1 - dice[c].

    With p[i, c] the softmax probability and t[i, c] the truth (0 or 1) at pixel i, summed over the valid pixels of the
    whole batch,

        dice[c] = (2 * sum_i(p[i, c] * t[i, c]) + smooth) / (sum_i(p[i, c]) + sum_i(t[i, c]) + smooth).

    A class that no valid pixel has is left out of the mean, so it costs nothing of its own; probability given to it is
    still missed by the others. With `class_weights` w the mean is sum(w[c] * (1 - dice[c])) / sum(w[c]) over the
    present classes.

    Source: Milletari et al., V-Net, 2016, section 3, without the squares in the denominator.

    Args:
        smooth: pixels added above and below. 0 is safe, because a present class never divides by 0; larger values make
            light of classes of few pixels.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, smooth=0.0, class_weights=None, ignore_index=255, name="dice"):
        super().__init__(class_weights, ignore_index, name)
        self.smooth = float(smooth)
        if not 0 <= self.smooth < float("inf"):
            raise LossError(f"smooth is {smooth}; it must be finite and not negative")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        missed, extra, truth = self._sums(pixels)
        present = truth > 0
        # 1 - dice written without a difference of nearly equal numbers; 2 * overlap is 2 * (truth - missed).
        costs = (missed + extra) / ops.where(present, 2.0 * truth - missed + extra + self.smooth, 1.0)
        return self._class_mean(costs, present) + pixels.guard

    def get_config(self):
        return {"smooth": self.smooth, **super().get_config()}
