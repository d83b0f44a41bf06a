"""Between a grid of features and the sequence of tokens that attention takes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class ToTokens(keras.layers.Layer):
    """(B, h, w, C) -> (B, h * w, C), row by row."""

    def call(self, inputs: Any) -> Any:
        shape = ops.shape(inputs)
        return ops.reshape(inputs, (-1, shape[1] * shape[2], inputs.shape[-1]))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        return (batch, None if height is None or width is None else height * width, channels)


@keras.saving.register_keras_serializable("desertseg")
class ToGrid(keras.layers.Layer):
    """(B, h * w, C) -> (B, h, w, C) with height and width of the second input (B, h, w, ...)."""

    def call(self, inputs: Any, reference: Any) -> Any:
        shape = ops.shape(reference)
        return ops.reshape(inputs, (-1, shape[1], shape[2], inputs.shape[-1]))

    def compute_output_shape(self, inputs_shape: tuple, reference_shape: tuple) -> tuple:
        return (inputs_shape[0], *reference_shape[1:3], inputs_shape[-1])
