"""Padding to the sizes that a network takes, and cropping back: bottom and right, so that no pixel moves."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class PadToMultiple(keras.layers.Layer):
    """Add rows of zeros at the bottom and columns at the right until `multiple` divides both sides.

    Args:
        multiple: 14 for DINOv2's patches.
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        return ops.pad(inputs, ((0, 0), (0, self._missing(height)), (0, self._missing(width)), (0, 0)))

    def _missing(self, length: Any) -> Any:
        """Return `-length % multiple` without a negative number, whose remainder exported graphs compute otherwise."""
        return (self.multiple - length % self.multiple) % self.multiple

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = [n if n is None else n + -n % self.multiple for n in input_shape[1:3]]
        return (input_shape[0], *size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("desertseg")
class CropLike(keras.layers.Layer):
    """Keep the top left part of the first input that has height and width of the second."""

    def call(self, inputs: Any, reference: Any) -> Any:
        _, height, width, *_ = ops.shape(reference)
        return inputs[:, :height, :width]

    def compute_output_shape(self, inputs_shape: tuple, reference_shape: tuple) -> tuple:
        return (inputs_shape[0], *reference_shape[1:3], *inputs_shape[3:])
