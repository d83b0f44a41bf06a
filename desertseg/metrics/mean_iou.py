"""Mean IoU as a Keras metric: one confusion matrix, exact to the pixel, counted inside the compiled step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.labels import IGNORE_INDEX
from desertseg.metrics.confusion import MetricError, Scores

_LIMB_BITS = 30
_LIMB = 1 << _LIMB_BITS


def count_confusion(labels, predictions, num_classes: int, ignore_index: int = IGNORE_INDEX):
    """Return the confusion matrix of one batch, int32 (C, C): rows truth, columns prediction. Works inside jit.

    A pixel that is ignored, or whose label or prediction is no class, is in no cell; `MeanIoU` notices the latter.

    Args:
        labels: integers of any shape: class indices or `ignore_index`.
        predictions: integers of the same shape: class indices.
    """
    labels, predictions = ops.cast(labels, "int32"), ops.cast(predictions, "int32")
    counted = (labels != ignore_index) & (labels >= 0) & (labels < num_classes)
    counted = counted & (predictions >= 0) & (predictions < num_classes)
    cells = num_classes * num_classes
    index = ops.where(counted, labels * num_classes + predictions, cells)
    counts = _bincount(ops.reshape(index, (-1,)), cells + 1)[:cells]
    return ops.reshape(counts, (num_classes, num_classes))


def _bincount(values, length: int):
    """Return how often each of 0 ... length - 1 stands in int32 `values`, as int32 (length,).

    Chosen by backend for speed: keras.ops.bincount has no static length on JAX, and its one-hot product is 40 x slower.
    """
    if keras.backend.backend() == "jax":
        import jax.numpy as jnp

        return jnp.bincount(values, length=length).astype("int32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # The raw operation: tf.math.bincount computes the length from the data, which XLA cannot compile.
        weights = tf.constant([], tf.int32)
        return tf.raw_ops.DenseBincount(input=values, size=length, weights=weights, binary_output=False)
    return ops.segment_sum(ops.ones_like(values), values, num_segments=length)


@keras.saving.register_keras_serializable(package="desertseg")
class MeanIoU(keras.metrics.Metric):
    """Mean IoU from one confusion matrix over all pixels that it was shown, not a mean of batches.

    The counts are exact integers on every backend: two limbs of 30 bits with a carry hold up to 2**60 pixels a cell,
    though JAX has no 64-bit integers by default. Nothing is read back to the host before `confusion_matrix()` or
    `scores()` is called; `result()` is float32 and works inside jit.

    A label that is neither a class nor `ignore_index`, or an integer prediction that is no class, cannot raise inside a
    compiled step: it makes `result()` NaN, and `confusion_matrix()` and `scores()` raise.

    Args:
        num_classes: C.
        ignore_index: the label of pixels that do not count.
        average: "present": over the classes present in the truth (`Scores.miou`); "all": over all C classes, one that
            is in neither truth nor prediction counting 0 (`Scores.miou_all`). NaN without any labelled pixel.
        name: what Keras calls the metric in logs and history.
        names: C class names for `scores()`.
        dtype: of the result; the state is integer whatever the policy says.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_index: int = IGNORE_INDEX,
        average: str = "present",
        name: str = "miou",
        names: Sequence[str] | None = None,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if average not in ("present", "all"):
            raise MetricError(f'average is {average!r}; it is "present" (classes present in the truth) or "all"')
        if num_classes < 1 or (names is not None and len(names) != num_classes):
            raise MetricError(f"num_classes is {num_classes} and names are {names}; give one name a class, or None")
        self.num_classes = int(num_classes)
        self.ignore_index = int(ignore_index)
        self.average = average
        self.names = None if names is None else [str(n) for n in names]
        shape = (self.num_classes, self.num_classes)
        # "int" is int32 on JAX and int64 on TensorFlow, which keeps int32 variables off the GPU.
        self.low = self.add_variable(shape, "zeros", dtype="int", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="int", name="high")
        self.unknown = self.add_variable((), "zeros", dtype="int", name="unknown")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count a batch: integer labels (B, H, W) and logits (B, H, W, C), or integer predictions (B, H, W).

        Raises:
            MetricError: sample weights, or shapes that do not fit.
        """
        if sample_weight is not None:
            raise MetricError(
                f"{self.name} counts pixels and takes no sample weights; use metrics=, not weighted_metrics="
            )
        labels, predictions = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if len(predictions.shape) == len(labels.shape) + 1 and predictions.shape[-1] == self.num_classes:
            predictions = ops.argmax(predictions, axis=-1)
        elif len(predictions.shape) != len(labels.shape) or keras.backend.is_float_dtype(predictions.dtype):
            raise MetricError(
                f"{self.name} was given labels {tuple(labels.shape)} and predictions {tuple(predictions.shape)}; "
                f"it takes labels (B, H, W) with logits (B, H, W, {self.num_classes}) or integer predictions (B, H, W)"
            )
        counts = count_confusion(labels, predictions, self.num_classes, self.ignore_index)
        valid = ops.sum(ops.cast(ops.cast(labels, "int32") != self.ignore_index, "int32"))
        self._add(counts, valid - ops.sum(counts))

    def _add(self, counts, unknown) -> None:
        low = self.low + ops.cast(counts, self.low.dtype)
        self.high.assign(self.high + low // _LIMB)
        self.low.assign(low % _LIMB)
        # Clipped, so that it can never wrap around to "none".
        self.unknown.assign(ops.minimum(self.unknown + ops.cast(unknown, self.unknown.dtype), _LIMB))

    def result(self):
        """Return the mean IoU, a scalar; float32 rounding of counts beyond 2**24 moves it by 1e-7 at most."""
        matrix = ops.cast(self.high, "float32") * float(_LIMB) + ops.cast(self.low, "float32")
        hits, truth, predicted = ops.diagonal(matrix), ops.sum(matrix, axis=1), ops.sum(matrix, axis=0)
        union = truth + predicted - hits
        iou = ops.where(union > 0, hits / ops.where(union > 0, union, 1.0), 0.0)
        present = ops.cast(truth > 0, "float32")
        chosen = present if self.average == "present" else ops.ones_like(present)
        mean = ops.sum(iou * chosen) / ops.maximum(ops.sum(chosen), 1.0)
        known = ops.any(truth > 0) & (self.unknown == 0)
        return ops.cast(ops.where(known, mean, np.float32("nan")), self.dtype)

    def confusion_matrix(self) -> np.ndarray:
        """Return the exact counts, int64 (C, C), rows truth, columns prediction. Reads from the device.

        Raises:
            MetricError: labels or predictions were shown that are no class.
        """
        low, high, unknown = (ops.convert_to_numpy(v).astype(np.int64) for v in (self.low, self.high, self.unknown))
        if unknown > 0:
            raise MetricError(
                f"{self.name} was shown {int(unknown):,} pixels whose label or prediction is none of the classes "
                f"0..{self.num_classes - 1} (ignore is {self.ignore_index}); read masks with the label map of the model"
            )
        return high * _LIMB + low

    def scores(self) -> Scores:
        """Return every score of the counts so far, in float64 from exact integers."""
        return Scores(self.confusion_matrix(), self.names)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_index": self.ignore_index,
            "average": self.average,
            "names": self.names,
        }
