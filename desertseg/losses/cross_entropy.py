"""Cross-entropy over labelled pixels."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from desertseg.losses.pixels import LossError, PixelLoss, Pixels, divide


@keras.saving.register_keras_serializable(package="desertseg")
class CrossEntropy(PixelLoss):
    """The mean of -log p(label) over valid pixels.

    With `class_weights` w it is sum(w[label] * -log p(label)) / sum(w[label]): a weighted mean. With `label_smoothing`
    s the truth is 1 - s at the label plus s / C at every class, each class k at its own weight, over the same sum:

        sum((1 - s) * w[label] * -log p(label) + s / C * sum_k(w[k] * -log p(k))) / sum(w[label]).

    Both are as torch.nn.CrossEntropyLoss(weight=w, ignore_index=..., label_smoothing=s) has them.

    Source of the smoothing: Szegedy et al., Rethinking the Inception architecture, 2016, section 7.

    Args:
        label_smoothing: the share of the truth that is spread over all classes, 0..1.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, label_smoothing=0.0, class_weights=None, ignore_index=255, name="cross_entropy"):
        super().__init__(class_weights, ignore_index, name)
        self.label_smoothing = float(label_smoothing)
        if not 0 <= self.label_smoothing <= 1:
            raise LossError(f"label_smoothing is {label_smoothing}; it must lie in 0..1 (0.1 is usual, 0 is none)")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        costs = -ops.sum(ops.where(pixels.hot, pixels.log_probabilities, 0.0), axis=-1)
        loss = self._mean(costs, pixels)
        if self.label_smoothing:
            spread = divide(self._spread(pixels), self._count(pixels.valid, pixels.hot))
            loss = (1.0 - self.label_smoothing) * loss + self.label_smoothing * spread
        return loss + pixels.guard

    def _spread(self, pixels: Pixels):
        """Return the sum over valid pixels of the mean over the classes of w[k] * -log p(k)."""
        weights = np.float32(1) if self.class_weights is None else np.array(self.class_weights, np.float32)
        costs = -ops.mean(weights * pixels.log_probabilities, axis=-1)
        return ops.sum(ops.where(pixels.valid, costs, 0.0))

    def get_config(self):
        return {"label_smoothing": self.label_smoothing, **super().get_config()}
