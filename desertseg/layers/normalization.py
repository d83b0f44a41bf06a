"""Batch normalisation with PyTorch's constants."""

from __future__ import annotations

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
