"""One tensor of channels taken as several, and the gate that SwiGLU makes of two."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class SplitChannels(keras.layers.Layer):
    """Divide the last axis into `parts` equal ones, returned as a list: queries, keys and values of one product.

    Args:
        parts: how many.
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, parts: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, inputs: Any) -> list:
        return ops.split(inputs, self.parts, axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> list[tuple]:
        return [(*input_shape[:-1], input_shape[-1] // self.parts)] * self.parts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "parts": self.parts}


@keras.saving.register_keras_serializable("desertseg")
class SwiGLU(keras.layers.Layer):
    """silu(first half of the channels) * second half.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", equation 5.
    """

    def call(self, inputs: Any) -> Any:
        gate, values = ops.split(inputs, 2, axis=-1)
        return ops.silu(gate) * values

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], input_shape[-1] // 2)
