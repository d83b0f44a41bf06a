"""Depthwise convolution; on JAX a sum of shifted products, 20 times as fast as XLA's grouped convolution on a CPU."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from desertseg.layers.padding import output_size, pad_amounts


@keras.saving.register_keras_serializable("desertseg")
class DepthwiseConvolution(keras.layers.DepthwiseConv2D):
    """A `keras.layers.DepthwiseConv2D` (same weights, multiplier 1) whose padding is symmetric.

    Args:
        kernel_size: int or (height, width), odd.
        strides, dilation_rate: int or (vertical, horizontal).
        use_bias: False, since a pointwise convolution follows.
        **kwargs: as `keras.layers.DepthwiseConv2D`, without `padding`, `depth_multiplier` and `data_format`.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        dilation_rate: int | tuple[int, int] = 1,
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("depthwise_initializer", he_depthwise(kernel_size))
        super().__init__(
            kernel_size,
            strides=strides,
            padding="valid",
            data_format="channels_last",
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            **kwargs,
        )

    def call(self, inputs: Any) -> Any:
        kernel = ops.convert_to_tensor(self.kernel)
        form = _convolve_shifted if keras.backend.backend() == "jax" else _convolve_plain
        outputs = form(inputs, kernel, self.strides, self.dilation_rate)
        if self.use_bias:
            outputs = outputs + ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = output_size(input_shape[1:3], self.kernel_size, self.strides, self.dilation_rate)
        return (input_shape[0], *size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for key in ("padding", "depth_multiplier", "data_format"):
            del config[key]
        return config


def he_depthwise(kernel_size: int | tuple[int, int]) -> keras.initializers.Initializer:
    """Return a normal initialiser of variance 1 / (kernel area): no ReLU stands between depthwise and pointwise."""
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return keras.initializers.RandomNormal(stddev=(height * width) ** -0.5)


def _convolve_plain(inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> Any:
    pad_y, pad_x = pad_amounts(kernel.shape[:2], dilation_rate)
    if strides == (1, 1):
        return ops.depthwise_conv(inputs, kernel, 1, "same", dilation_rate=dilation_rate)
    inputs = ops.pad(inputs, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    return ops.depthwise_conv(inputs, kernel, strides, "valid", dilation_rate=dilation_rate)


def _convolve_shifted(inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> Any:
    import jax.numpy as jnp

    kernel_size = kernel.shape[:2]
    pad_y, pad_x = pad_amounts(kernel_size, dilation_rate)
    height, width = output_size(inputs.shape[1:3], kernel_size, strides, dilation_rate)
    inputs = jnp.pad(inputs, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    total = 0.0
    for y in range(kernel_size[0]):
        for x in range(kernel_size[1]):
            top, left = y * dilation_rate[0], x * dilation_rate[1]
            window = inputs[
                :,
                top : top + (height - 1) * strides[0] + 1 : strides[0],
                left : left + (width - 1) * strides[1] + 1 : strides[1],
            ]
            total = total + window * kernel[y, x, :, 0]
    return total
