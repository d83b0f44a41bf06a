"""Max-pooling with symmetric padding, and the mean over a picture."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.padding import output_size

_POOL, _STRIDES = (3, 3), (2, 2)


@keras.saving.register_keras_serializable("desertseg")
class MaxPooling(keras.layers.Layer):
    """Maximum over 3x3 windows, stride 2, symmetric padding: PyTorch's `MaxPool2d(3, 2, 1)`.

    On JAX it is a maximum over nine strided slices: XLA's gradient of a pooling window (select-and-scatter) takes 20
    times as long as the forward pass.
    """

    def call(self, inputs: Any) -> Any:
        if keras.backend.backend() == "jax":
            return _pool_slices(inputs)
        inputs = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=float("-inf"))
        return ops.max_pool(inputs, _POOL, _STRIDES, "valid")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *output_size(input_shape[1:3], _POOL, _STRIDES, (1, 1)), input_shape[-1])


@keras.saving.register_keras_serializable("desertseg")
class ImagePooling(keras.layers.Layer):
    """Mean over height and width, float32 inside: (B, H, W, C) -> (B, 1, 1, C)."""

    def call(self, inputs: Any) -> Any:
        mean = ops.mean(ops.cast(inputs, "float32"), axis=(1, 2), keepdims=True)
        return ops.cast(mean, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 1, 1, input_shape[-1])


def _pool_slices(inputs: Any) -> Any:
    import jax.numpy as jnp

    height, width = output_size(inputs.shape[1:3], _POOL, _STRIDES, (1, 1))
    inputs = jnp.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    result = None
    for y in range(3):
        for x in range(3):
            window = inputs[:, y : y + 2 * height - 1 : 2, x : x + 2 * width - 1 : 2]
            result = window if result is None else jnp.maximum(result, window)
    return result
