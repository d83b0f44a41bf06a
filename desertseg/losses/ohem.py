"""Cross-entropy over the hardest pixels only (online hard example mining)."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from desertseg.losses.pixels import LossError, PixelLoss, Pixels, restrict


@keras.saving.register_keras_serializable(package="desertseg")
class OHEM(PixelLoss):
    """The mean of -log p(label) over the hard pixels of the batch: those with p(label) < threshold.

    Where they are fewer than the share `keep` of the valid pixels, the hardest of that share are taken, and every pixel
    that is as hard as the last of them; one pixel at the least. With `class_weights` w it is the weighted mean
    sum(w[label] * -log p) / sum(w[label]) over those pixels; what is hard is told by p alone, among the classes of
    positive weight.

    Source: Shrivastava et al., Training region-based object detectors with online hard example mining, 2016, in the
    form that BiSeNet's code (`OhemCELoss`) gave it for segmentation: threshold 0.7, at least a sixteenth of the valid
    pixels. HRNet's code (`OhemCrossEntropy`) differs in a fixed least number of pixels.

    Args:
        threshold: the probability from which a pixel is easy, 0..1; 0 leaves it to `keep` alone.
        keep: the least share of the valid pixels that is trained, 0..1; 1 is `CrossEntropy`.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, threshold=0.7, keep=1 / 16, class_weights=None, ignore_index=255, name="ohem"):
        super().__init__(class_weights, ignore_index, name)
        self.threshold, self.keep = float(threshold), float(keep)
        for key in ("threshold", "keep"):
            if not 0 <= getattr(self, key) <= 1:
                raise LossError(f"{key} is {getattr(self, key)}; it must lie in 0..1")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        # abs and not a minus sign, which would give -0.0: `_kth_largest` reads bits.
        values = ops.abs(ops.sum(ops.where(pixels.hot, pixels.log_probabilities, 0.0), axis=-1))
        hard = self._hard(ops.stop_gradient(values), pixels)
        return self._mean(values, restrict(pixels, hard)) + pixels.guard

    def _hard(self, values, pixels: Pixels):
        """Return bool (B, H, W): the pixels that are trained."""
        counted = pixels.valid
        if self.class_weights is not None and min(self.class_weights) == 0:
            counted = self._weights(pixels.hot) > 0
        # Keras' view asks TensorFlow for a last axis of known length.
        bits = ops.squeeze(ops.view(ops.expand_dims(values, -1), "int32"), -1)
        bits = ops.where(counted, bits, -1)
        total = ops.cast(ops.sum(ops.cast(counted, "int32")), "float32")
        least = ops.maximum(ops.cast(ops.floor(total * self.keep), "int32"), 1)
        easy = -math.log(self.threshold) if self.threshold > 0 else math.inf
        return counted & ((values > np.float32(easy)) | (bits >= _kth_largest(bits, least)))

    def get_config(self):
        return {"threshold": self.threshold, "keep": self.keep, **super().get_config()}


def _kth_largest(bits, k):
    """Return the k-th largest of the int32 values >= 0, or 0 if they are fewer; negative values are left out.

    Bit by bit: 31 counts, each of which costs one pass over the pixels, where a sort costs XLA forty times as much. The
    bits of floats >= 0 are ordered as the floats are.
    """

    def settle(step, found):
        larger = found | ops.left_shift(ops.ones_like(found), 30 - step)
        enough = ops.sum(ops.cast(bits >= larger, "int32")) >= k
        return ops.where(enough, larger, found)

    return ops.fori_loop(0, 31, settle, ops.zeros((), "int32"))
