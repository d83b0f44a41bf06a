"""Tokens that belong to no place of the picture, before those that do: the class token, registers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.initializer import Normal


@keras.saving.register_keras_serializable("desertseg")
class PrependTokens(keras.layers.Layer):
    """(B, N, C) -> (B, count + N, C): a trained weight "tokens" (count, C) before every picture's tokens.

    Args:
        count: how many.
        stddev: of the random weight at the start.
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, count: int = 1, stddev: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.stddev = count, stddev

    def build(self, input_shape: tuple) -> None:
        shape = (self.count, input_shape[-1])
        self.tokens = self.add_weight(shape=shape, initializer=Normal(self.stddev), name="tokens")

    def call(self, inputs: Any) -> Any:
        tokens = ops.cast(ops.convert_to_tensor(self.tokens), inputs.dtype)
        tokens = ops.broadcast_to(tokens, (ops.shape(inputs)[0], *tokens.shape))
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, count, channels = input_shape
        return (batch, None if count is None else count + self.count, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count, "stddev": self.stddev}


@keras.saving.register_keras_serializable("desertseg")
class DropTokens(keras.layers.Layer):
    """(B, count + N, C) -> (B, N, C): without the first `count` tokens.

    Args:
        count: how many.
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs: Any) -> Any:
        return inputs[:, self.count :]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, count, channels = input_shape
        return (batch, None if count is None else count - self.count, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}
