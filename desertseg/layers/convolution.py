"""2-D convolution with PyTorch's symmetric padding; on JAX a 1x1 one is a matrix product, a wide 3x3 one Winograd's."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.form import uses_fast_form, uses_single_form
from desertseg.layers.graph import convolve_at_once
from desertseg.layers.initializer import Normal
from desertseg.layers.padding import output_size, pad_amounts
from desertseg.layers.winograd import suits_winograd, winograd_function


@keras.saving.register_keras_serializable("desertseg")
class Convolution(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` (same weights) whose padding is dilation * (kernel - 1) // 2 on every side.

    Args:
        filters: output channels.
        kernel_size: int or (height, width), odd.
        strides, dilation_rate: int or (vertical, horizontal).
        use_bias: False, since a normalisation follows nearly every convolution here.
        kernel_initializer: He et al. 2015, fan out, as torchvision's ResNet.
        **kwargs: as `keras.layers.Conv2D`, without `padding`, `groups` and `data_format`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        dilation_rate: int | tuple[int, int] = 1,
        use_bias: bool = False,
        kernel_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid",
            data_format="channels_last",
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            kernel_initializer=Normal() if kernel_initializer is None else kernel_initializer,
            **kwargs,
        )

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if uses_fast_form():
            return _convolve_jax(inputs, ops.convert_to_tensor(kernel), self.strides, self.dilation_rate)
        if uses_single_form():
            return convolve_at_once(inputs, kernel, self.strides, self.dilation_rate)
        pad_y, pad_x = pad_amounts(self.kernel_size, self.dilation_rate)
        if self.strides == (1, 1):
            return ops.conv(inputs, kernel, 1, "same", dilation_rate=self.dilation_rate)
        if pad_y or pad_x:
            inputs = ops.pad(inputs, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
        return ops.conv(inputs, kernel, self.strides, "valid", dilation_rate=self.dilation_rate)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = output_size(input_shape[1:3], self.kernel_size, self.strides, self.dilation_rate)
        return (input_shape[0], *size, self.filters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for key in ("padding", "groups", "data_format"):
            del config[key]
        return config


def _convolve_jax(inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> Any:
    inputs = ops.convert_to_tensor(inputs, kernel.dtype)
    if kernel.shape[:2] == (1, 1):
        inputs = inputs[:, :: strides[0], :: strides[1]]
        return (inputs.reshape(-1, inputs.shape[-1]) @ kernel[0, 0]).reshape(*inputs.shape[:3], -1)
    if suits_winograd(kernel, strides, dilation_rate):
        return winograd_function(_convolve_undivided)(inputs, kernel, dilation_rate[0])
    return _convolve_lax(inputs, kernel, strides, dilation_rate)


def _convolve_undivided(inputs: Any, kernel: Any, dilation: int) -> Any:
    return _convolve_lax(inputs, kernel, (1, 1), (dilation, dilation))


def _convolve_lax(inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> Any:
    import jax

    pads = [(p, p) for p in pad_amounts(kernel.shape[:2], dilation_rate)]
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(inputs, kernel, strides, pads, (1, 1), dilation_rate, numbers)
