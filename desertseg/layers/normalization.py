"""Batch normalisation with PyTorch's constants."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class BatchNormalization(keras.layers.BatchNormalization):
    """A `keras.layers.BatchNormalization` (same weights) with PyTorch's epsilon, momentum and unbiased moving variance.

    Args:
        momentum: share of the old moving statistics that is kept; PyTorch's momentum 0.1 is 0.9 here.
        epsilon: added to the variance.
        **kwargs: as `keras.layers.BatchNormalization`.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        # A product, not the variable: on TensorFlow that would already show what the call below writes.
        kept = ops.convert_to_tensor(self.moving_variance) * self.momentum
        outputs = super().call(inputs, training=training, mask=mask)
        # Keras has added (1 - momentum) * the biased variance; PyTorch's moving variance takes n / (n - 1) of it.
        shape = ops.shape(inputs)
        count = ops.cast(math.prod(shape[axis] for axis in self._reduction_axes), kept.dtype)
        added = ops.convert_to_tensor(self.moving_variance) - kept
        self.moving_variance.assign(kept + added * (count / ops.maximum(count - 1, 1)))
        return outputs
