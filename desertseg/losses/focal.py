"""Focal loss: cross-entropy that looks away from pixels that are already right."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.losses.pixels import LossError, PixelLoss

_SMALLEST = 1e-30  # keeps the derivative of (1 - p) ** gamma finite where p rounds to 1 and gamma < 1


@keras.saving.register_keras_serializable(package="desertseg")
class Focal(PixelLoss):
    """The mean of -(1 - p) ** gamma * log p over valid pixels, p being the probability of the true class.

    Computed from log-softmax, so a confident mistake keeps its gradient however large the logits are. With
    `class_weights` w it is the weighted mean sum(w[label] * value) / sum(w[label]); w is the paper's alpha, but for
    that normalisation. gamma = 0 is `CrossEntropy`.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017, equations 4 and 5, for softmax.

    Args:
        gamma: how fast a pixel's weight falls with its probability, >= 0.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, gamma=2.0, class_weights=None, ignore_index=255, name="focal"):
        super().__init__(class_weights, ignore_index, name)
        self.gamma = float(gamma)
        if not 0 <= self.gamma < float("inf"):
            raise LossError(f"gamma is {gamma}; it must be finite and not negative (2 is usual, 0 is cross-entropy)")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        log_likelihood = ops.sum(ops.where(pixels.hot, pixels.log_probabilities, 0.0), axis=-1)
        return self._mean(-log_likelihood * self._modulation(log_likelihood), pixels) + pixels.guard

    def _modulation(self, log_likelihood):
        """Return (1 - p) ** gamma; expm1 keeps 1 - p exact where p is near 1."""
        if self.gamma == 0:
            return 1.0
        miss = -ops.expm1(log_likelihood)
        if self.gamma == 2:  # the default, and many times cheaper than a power
            return ops.square(miss)
        return ops.power(ops.maximum(miss, _SMALLEST), self.gamma)

    def get_config(self):
        return {"gamma": self.gamma, **super().get_config()}
