"""Convolution over patches that do not overlap: the kernel's size is the stride."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.form import uses_fast_form


@keras.saving.register_keras_serializable("desertseg")
class PatchConvolution(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` (same weights) whose stride is its kernel's size; on JAX a sum of matrix products.

    What is left at the bottom and on the right and fills no patch is dropped, as PyTorch does. A picture smaller than
    one patch, which PyTorch refuses, is filled up with zeros to one.

    Args:
        filters: output channels.
        patch_size: height and width of a patch.
        **kwargs: as `keras.layers.Conv2D`, without `kernel_size`, `strides`, `padding`, `dilation_rate`, `groups` and
            `data_format`.
    """

    def __init__(self, filters: int, patch_size: int, **kwargs: Any) -> None:
        super().__init__(
            filters, patch_size, strides=patch_size, padding="valid", data_format="channels_last", **kwargs
        )
        self.patch_size = patch_size

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        inputs = self._filled(ops.convert_to_tensor(inputs))
        if uses_fast_form():
            return _convolve_rows(inputs, ops.convert_to_tensor(kernel), self.patch_size)
        return ops.conv(inputs, kernel, self.patch_size, "valid")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = (n and max(n // self.patch_size, 1) for n in input_shape[1:3])
        return (input_shape[0], *size, self.filters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for key in ("kernel_size", "strides", "padding", "dilation_rate", "groups", "data_format"):
            del config[key]
        return {**config, "patch_size": self.patch_size}

    def _filled(self, inputs: Any) -> Any:
        height, width = ops.shape(inputs)[1:3]
        if isinstance(height, int) and isinstance(width, int):
            if min(height, width) >= self.patch_size:
                return inputs
            missing = [max(self.patch_size - n, 0) for n in (height, width)]
        else:
            missing = [ops.maximum(self.patch_size - n, 0) for n in (height, width)]
        return ops.pad(inputs, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))


def _convolve_rows(inputs: Any, kernel: Any, size: int) -> Any:
    """Return the sum over the rows of a patch of that row of all patches times the kernel's row.

    A row of a patch lies in one piece in memory, so that nothing is transposed; the weight's gradient takes two thirds
    of the time that XLA's convolution needs for it.
    """
    inputs = inputs.astype(kernel.dtype)
    batch, height, width, channels = inputs.shape
    rows, columns = height // size, width // size
    patches = inputs[:, : rows * size, : columns * size].reshape(batch, rows, size, columns, size * channels)
    kernel = kernel.reshape(size, size * channels, -1)
    total = sum(patches[:, :, y].reshape(-1, size * channels) @ kernel[y] for y in range(size))
    return total.reshape(batch, rows, columns, -1)
