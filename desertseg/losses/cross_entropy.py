"""Cross-entropy over labelled pixels."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.losses.pixels import PixelLoss


@keras.saving.register_keras_serializable(package="desertseg")
class CrossEntropy(PixelLoss):
    """The mean of -log p(label) over valid pixels.

    With `class_weights` w it is sum(w[label] * -log p(label)) / sum(w[label]): a weighted mean, as
    torch.nn.CrossEntropyLoss(weight=w, ignore_index=...) has it.

    Args:
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, class_weights=None, ignore_index=255, name="cross_entropy"):
        super().__init__(class_weights, ignore_index, name)

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        log_likelihood = ops.sum(ops.where(pixels.hot, pixels.log_probabilities, 0.0), axis=-1)
        return self._mean(-log_likelihood, pixels) + pixels.guard
