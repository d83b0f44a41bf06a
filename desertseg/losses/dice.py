"""Soft Dice loss, class by class over the whole batch."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from desertseg.losses.pixels import LossError, PixelLoss, _divide


@keras.saving.register_keras_serializable(package="desertseg")
class Dice(PixelLoss):
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
        axes = tuple(range(len(pixels.valid.shape)))
        probabilities = ops.exp(pixels.log_probabilities)
        overlap = ops.sum(ops.where(pixels.hot, probabilities, 0.0), axis=axes)
        predicted = ops.sum(ops.where(ops.expand_dims(pixels.valid, -1), probabilities, 0.0), axis=axes)
        truth = ops.cast(ops.sum(ops.cast(pixels.hot, "int32"), axis=axes), "float32")
        present = truth > 0
        union = ops.where(present, predicted + truth + self.smooth, 1.0)
        cost = 1.0 - (2.0 * overlap + self.smooth) / union
        weights = np.float32(1) if self.class_weights is None else np.array(self.class_weights, np.float32)
        weights = ops.where(present, weights, 0.0)
        return _divide(ops.sum(weights * cost), ops.sum(weights)) + pixels.guard

    def get_config(self):
        return {"smooth": self.smooth, **super().get_config()}
