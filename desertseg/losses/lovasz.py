"""Lovasz-softmax: the mean IoU itself, made smooth enough to descend."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.losses.pixels import Pixels
from desertseg.losses.regions import RegionLoss, count_classes

_BINS = 4096  # how finely errors are ordered: those that differ by less than 1/4096 share a place


@keras.saving.register_keras_serializable(package="desertseg")
class LovaszSoftmax(RegionLoss):
    """The mean over the classes present in the batch's truth of the Lovasz extension of 1 - IoU[c].

    A pixel's error for class c is 1 - p where c is true and p elsewhere. With a class's errors in falling order e[1],
    e[2], ..., and J(k) = 1 - IoU of c when exactly the first k pixels are wrong, the class costs
    sum_k e[k] * (J(k) - J(k - 1)). Predictions of certainty cost 1 - IoU.

    The order is that of a histogram of 4096 bins instead of a sort, which costs XLA twelve times as much on a CPU.
    Errors of one bin count as equal: they share the mean of what the orders "true pixels first" and "true pixels last"
    give them. The loss is off by less than 1/4096, in practice by less than float32 rounds over a batch (tests).

    Source: Berman et al., The Lovasz-Softmax loss, 2018, equations 8 to 11 and algorithm 1; "present" classes, the
    whole batch at once.

    Args:
        class_weights: C floats >= 0 that weigh the classes' mean, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, class_weights=None, ignore_index=255, name="lovasz"):
        super().__init__(class_weights, ignore_index, name)

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        probabilities = ops.exp(pixels.log_probabilities)
        errors = ops.where(pixels.hot, 1.0 - probabilities, probabilities)
        errors = ops.where(ops.expand_dims(pixels.valid, -1), errors, 0.0)
        steps = ops.stop_gradient(self._steps(ops.stop_gradient(errors), pixels))
        costs = ops.sum(errors * steps, axis=tuple(range(len(pixels.valid.shape))))
        return self._class_mean(costs, count_classes(pixels) > 0) + pixels.guard

    def _steps(self, errors, pixels: Pixels):
        """Return J(k) - J(k - 1) (B, H, W, C) of every pixel and class, k being its place among the class's errors."""
        num_classes = errors.shape[-1]
        # The largest errors come first; NaN, which may become any integer, is kept inside the table.
        bins = ops.clip(_BINS - 1 - ops.cast(errors * _BINS, "int32"), 0, _BINS - 1)
        rows = 2 * ops.arange(num_classes, dtype="int32") + ops.cast(pixels.hot, "int32")
        places = ops.reshape(rows * _BINS + bins, (-1,))
        valid = ops.broadcast_to(ops.expand_dims(ops.cast(pixels.valid, "int32"), -1), ops.shape(errors))
        counts = ops.segment_sum(ops.reshape(valid, (-1,)), places, 2 * num_classes * _BINS)
        table = _differences(ops.reshape(counts, (num_classes, 2, _BINS)))
        return ops.reshape(ops.take(ops.reshape(table, (-1,)), places), ops.shape(errors))


def _differences(counts):
    """Return J(k) - J(k - 1) (C, 2, bins) for a pixel of each bin.

    Args:
        counts: int32 (C, 2, bins), the class's pixels with an error in each bin, largest errors first; [:, 1] are those
            where the class is true.
    """
    upto = ops.cumsum(counts, axis=-1)
    before = upto - counts
    truth = upto[:, 1, -1:]
    # With f true and b other pixels wrong, J = 1 - (truth - f) / (truth + b). One more true pixel adds 1 / (truth + b);
    # b' - b more others add (truth - f) * (b' - b) / ((truth + b) * (truth + b')). No difference of J is ever rounded.
    first = ops.cast(ops.maximum(truth + before[:, 0], 1), "float32")
    last = ops.cast(ops.maximum(truth + upto[:, 0], 1), "float32")
    left = ops.cast(2 * truth - before[:, 1] - upto[:, 1], "float32")  # twice the mean of the true pixels not yet wrong
    return ops.stack([0.5 * left / first / last, 0.5 / first + 0.5 / last], axis=1)
