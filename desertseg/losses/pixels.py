"""What every loss shares: integer labels with ignore, float32 inside, one scalar out, errors instead of guesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX


class LossError(UserError):
    """A loss that was given arguments, labels or logits that it cannot use."""


class Pixels(NamedTuple):
    """A batch as the losses see it; a compiler fuses `hot` into what uses it, so it costs no memory."""

    log_probabilities: Any  # float32 (B, H, W, C)
    hot: Any  # bool (B, H, W, C): the true class; no class at an ignored pixel
    valid: Any  # bool (B, H, W)
    guard: Any  # float32 scalar, added to the loss: 0, or NaN if a label is neither a class nor ignore


class PixelLoss(keras.losses.Loss):
    """Base of the losses over labels (B, H, W) and logits (B, H, W, C).

    A loss is a scalar, already reduced over the pixels that are not ignored: Keras reduces it no further. It computes
    in float32 whatever the logits' dtype is. Without any valid pixel it is 0, and so is its gradient. A label that is
    neither a class nor `ignore_index` makes it NaN: inside a compiled step that is the only way to be heard, and a
    silent 0 would be wrong.

    Args:
        class_weights: C floats >= 0, or None for equal weights. Each loss says how it uses them.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.

    Raises:
        LossError: weights that are no weights; when called, `sample_weight` (so also `fit(class_weight=...)`, whose
            weights Keras would apply to the batch's one scalar), shapes or dtypes that do not fit.
    """

    def __init__(
        self, class_weights: Sequence[float] | None = None, ignore_index: int = IGNORE_INDEX, name: str | None = None
    ) -> None:
        super().__init__(name=name, reduction=None, dtype="float32")
        self.class_weights = _checked_weights(class_weights, "class_weights")
        self.ignore_index = int(ignore_index)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the scalar loss. Keras' own __call__ would turn the labels into floats first."""
        if sample_weight is not None:
            raise LossError(
                f"{self.name} was given sample weights (fit's class_weight becomes such), which it does not define; "
                "give class_weights=... to the loss, and mark pixels that must not count with the ignore index"
            )
        with keras.name_scope(self.name):
            return self.call(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {"class_weights": self.class_weights, "ignore_index": self.ignore_index, "name": self.name}

    def mass(self, labels):
        """Return what the loss of a batch with these labels is divided by, a float32 scalar.

        It is the number of valid pixels, or the sum of their class weights. Losses of parts of a batch, each times its
        mass, over the sum of the masses, are the loss of the whole batch: so gradients are accumulated. That is exact
        for means over pixels. For `OHEM`, which chooses its pixels in each part, and for the region losses, whose mass
        is the number of valid pixels, it is the nearest thing.

        Args:
            labels: integer labels (B, H, W).
        """
        labels = ops.cast(ops.convert_to_tensor(labels), "int32")
        valid = labels != self.ignore_index
        num_classes = 1 if self.class_weights is None else len(self.class_weights)
        return self._count(valid, _one_hot(labels, valid, num_classes))

    def _pixels(self, labels, logits) -> Pixels:
        """Return the batch as the losses see it, after checking what is known while tracing."""
        labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
        self._check(labels, logits)
        num_classes = logits.shape[-1]
        labels = ops.cast(labels, "int32")
        valid = labels != self.ignore_index
        unknown = ops.any(valid & ((labels < 0) | (labels >= num_classes)))
        return Pixels(
            ops.log_softmax(ops.cast(logits, "float32"), axis=-1),
            _one_hot(labels, valid, num_classes),
            valid,
            ops.where(unknown, np.float32("nan"), np.float32(0)),
        )

    def _check(self, labels, logits) -> None:
        if not keras.backend.is_float_dtype(logits.dtype):
            raise LossError(f"{self.name} takes float logits, not {keras.backend.standardize_dtype(logits.dtype)}")
        same = len(labels.shape) == len(logits.shape) - 1 and all(
            a is None or b is None or a == b for a, b in zip(labels.shape, logits.shape[:-1], strict=True)
        )
        if not same:
            raise LossError(
                f"{self.name} was given labels {tuple(labels.shape)} and logits {tuple(logits.shape)}; "
                "it takes integer labels (B, H, W) and logits (B, H, W, C)"
            )
        if self.class_weights is not None and len(self.class_weights) != logits.shape[-1]:
            raise LossError(
                f"{self.name} has {len(self.class_weights)} class weights for logits of {logits.shape[-1]} classes; "
                "give one weight a class"
            )

    def _mean(self, values, pixels: Pixels):
        """Return the mean of `values` (B, H, W) over valid pixels, weighted by class as PyTorch does it.

        sum(w[label] * value) / sum(w[label]): the weights' common scale does not matter, and 0 where nothing counts.
        """
        return divide(self._total(values, pixels), self._count(pixels.valid, pixels.hot))

    def _total(self, values, pixels: Pixels):
        """Return the sum of w[label] * value over valid pixels."""
        if self.class_weights is None:
            return ops.sum(ops.where(pixels.valid, values, 0.0))
        return ops.sum(self._weights(pixels.hot) * values)

    def _count(self, valid, hot):
        """Return the sum of w[label] over valid pixels."""
        if self.class_weights is None:
            # Counted as integers: float32 stops at 2**24 pixels.
            return ops.cast(ops.sum(ops.cast(valid, "int32")), "float32")
        return ops.sum(self._weights(hot))

    def _weights(self, hot):
        """Return w[label] (B, H, W), 0 where no class is true."""
        return ops.sum(ops.where(hot, np.array(self.class_weights, np.float32), 0.0), axis=-1)


def divide(total, count):
    """Return total / count, or 0 where count is 0, with finite gradients."""
    return ops.where(count > 0, total, 0.0) / ops.where(count > 0, count, 1.0)


def restrict(pixels: Pixels, chosen) -> Pixels:
    """Return the batch with the chosen pixels alone, bool (B, H, W), which are valid ones."""
    return pixels._replace(valid=chosen, hot=pixels.hot & ops.expand_dims(chosen, -1))


def _one_hot(labels, valid, num_classes: int):
    """Return bool (B, H, W, C): the true class, no class where a pixel is not valid."""
    return ops.expand_dims(ops.where(valid, labels, -1), -1) == ops.arange(num_classes, dtype="int32")


def _checked_weights(weights: Sequence[float] | None, what: str) -> list[float] | None:
    """Return weights as plain floats, for `get_config`."""
    if weights is None:
        return None
    checked = [float(w) for w in weights]
    if not checked or not np.isfinite(checked).all() or min(checked) < 0 or max(checked) == 0:
        raise LossError(f"{what} are {checked}; they must be finite, not negative, and not all 0")
    return checked
