"""What the losses over whole classes share: sums of probability by class, and a mean over the classes present."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from desertseg.losses.pixels import PixelLoss, Pixels, divide


class Sums(NamedTuple):
    """Probability summed over the valid pixels of the whole batch, float32 (C,)."""

    missed: Any  # of the other classes where this one is true
    extra: Any  # of this class where another one is true
    truth: Any  # pixels of the class


class RegionLoss(PixelLoss):
    """Base of the losses that judge a class by the whole region that it covers in the batch.

    A class that no valid pixel has is left out of the mean, so it costs nothing of its own; probability given to it is
    still missed by the others. With `class_weights` w the mean is sum(w[c] * cost[c]) / sum(w[c]) over the present
    classes.
    """

    def mass(self, labels):
        """Return the number of valid pixels, a float32 scalar: parts of a batch count by their size."""
        valid = ops.convert_to_tensor(labels) != self.ignore_index
        return ops.cast(ops.sum(ops.cast(valid, "int32")), "float32")

    def _sums(self, pixels: Pixels) -> Sums:
        axes = tuple(range(len(pixels.valid.shape)))
        probabilities = ops.exp(pixels.log_probabilities)
        missed = ops.sum(ops.where(pixels.hot, 1.0 - probabilities, 0.0), axis=axes)
        others = ops.expand_dims(pixels.valid, -1) & ~pixels.hot
        extra = ops.sum(ops.where(others, probabilities, 0.0), axis=axes)
        return Sums(missed, extra, ops.cast(count_classes(pixels), "float32"))

    def _class_mean(self, costs, present):
        """Return the mean of `costs` (C,) over the present classes, weighted by class."""
        weights = np.float32(1) if self.class_weights is None else np.array(self.class_weights, np.float32)
        weights = ops.where(present, weights, 0.0)
        return divide(ops.sum(weights * costs), ops.sum(weights))


def count_classes(pixels: Pixels):
    """Return the pixels of each class, int32 (C,)."""
    return ops.sum(ops.cast(pixels.hot, "int32"), axis=tuple(range(len(pixels.valid.shape))))
