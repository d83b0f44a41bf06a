"""Pictures at other sizes: means over a coarse grid, and rescaling by a factor."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.resize import resize_bilinear


@keras.saving.register_keras_serializable("desertseg")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Mean over each window of an n x n grid, float32 inside: (B, H, W, C) -> (B, n, n, C).

    It is PyTorch's `AdaptiveAvgPool2d(n)`: window i covers rows floor(i H / n) to ceil((i + 1) H / n), so windows are
    uneven, and overlap, where n does not divide H. Two products with small matrices, also for a size that TensorFlow
    does not know when it traces.

    Args:
        grid: n.
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, grid: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid = grid

    def call(self, inputs: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        rows = ops.einsum("ih,bhwc->biwc", _window_weights(height, self.grid), ops.cast(inputs, "float32"))
        return ops.cast(ops.einsum("jw,biwc->bijc", _window_weights(width, self.grid), rows), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.grid, self.grid, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable("desertseg")
class Rescale(keras.layers.Layer):
    """Bilinear resizing of height and width by a factor, rounded up; a half is the mean of 2x2 pixels.

    Args:
        factor: 4, 2, 0.5 ...
        **kwargs: as `keras.layers.Layer`.
    """

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        return resize_bilinear(inputs, (self._scale(height), self._scale(width)))

    def _scale(self, length: Any) -> Any:
        if self.factor >= 1:
            return length * int(self.factor)
        divisor = round(1 / self.factor)
        return (length + divisor - 1) // divisor

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = [n if n is None else self._scale(n) for n in input_shape[1:3]]
        return (input_shape[0], *size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def _window_weights(length: Any, grid: int) -> Any:
    """Return float32 (grid, length): one over a window's length inside it, 0 outside."""
    index = ops.arange(grid, dtype="int32")
    start = index * length // grid
    stop = ((index + 1) * length + grid - 1) // grid
    position = ops.arange(length, dtype="int32")
    inside = (position >= start[:, None]) & (position < stop[:, None])
    return ops.cast(inside, "float32") / ops.cast(stop - start, "float32")[:, None]
