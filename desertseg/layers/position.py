"""Learnt position embeddings on a square grid, resized to the grid of the picture at hand."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.cubic import resize_bicubic
from desertseg.layers.initializer import Normal


@keras.saving.register_keras_serializable("desertseg")
class PositionEmbedding(keras.layers.Layer):
    """Add position embeddings to a class token and the tokens of a picture, whatever its height and width.

    The weight "positions" (1 + grid * grid, C), the class token's first, keeps its shape whatever is trained, so a
    file written at one size loads at another.

    Args:
        grid: side of the square that the weight describes.
        antialias, offset: of the bicubic resizing, see `resize_bicubic`. A picture of just `grid` by `grid` tokens is
            never resized.
        **kwargs: as `keras.layers.Layer`.

    Called with tokens (B, 1 + h * w, C) and the features (B, h, w, ...) that they are; returns (B, 1 + h * w, C).
    """

    def __init__(self, grid: int, antialias: bool = False, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid, self.antialias, self.offset = grid, antialias, offset

    def build(self, tokens_shape: tuple, reference_shape: tuple) -> None:
        # Without autocast: rounded to bfloat16 before the resizing they would be rounded twice.
        self.positions = self.add_weight(
            shape=(1 + self.grid**2, tokens_shape[-1]), initializer=Normal(0.02), autocast=False, name="positions"
        )

    def call(self, tokens: Any, reference: Any) -> Any:
        height, width = ops.shape(reference)[1:3]
        positions = ops.cast(ops.convert_to_tensor(self.positions), "float32")
        places = self._resize(ops.reshape(positions[1:], (self.grid, self.grid, -1)), height, width)
        places = ops.reshape(places, (-1, positions.shape[-1]))
        return tokens + ops.cast(ops.concatenate([positions[:1], places], axis=0), tokens.dtype)

    def _resize(self, places: Any, height: Any, width: Any) -> Any:
        offset: Any = self.offset
        if isinstance(height, int) and isinstance(width, int):
            if height == width == self.grid:
                return places
        elif self.offset:
            native = ops.logical_and(ops.equal(height, self.grid), ops.equal(width, self.grid))
            offset = ops.where(native, 0.0, self.offset)
        return resize_bicubic(places, (height, width), offset=offset, antialias=self.antialias)

    def compute_output_shape(self, tokens_shape: tuple, reference_shape: tuple) -> tuple:
        return tokens_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "grid": self.grid, "antialias": self.antialias, "offset": self.offset}
