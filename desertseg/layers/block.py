"""The block that dense networks repeat: convolution, normalisation, activation."""

from __future__ import annotations

from typing import Any

import keras

from desertseg.layers.convolution import Convolution
from desertseg.layers.depthwise import DepthwiseConvolution
from desertseg.layers.normalization import BatchNormalization


def conv_norm(
    inputs: Any,
    filters: int,
    kernel_size: int,
    strides: int = 1,
    dilation_rate: int = 1,
    *,
    separable: bool = False,
    activation: str | None = "relu",
    gamma_initializer: str = "ones",
    name: str,
    dtype: Any = None,
) -> Any:
    """Return the output of a convolution without bias, batch normalisation and an activation.

    Args:
        inputs: symbolic or real (B, H, W, C).
        separable: a depthwise convolution followed by a 1x1 one, nothing between them (segmentation_models.pytorch).
        activation: None leaves it out.
        gamma_initializer: of the normalisation's scale.
        name: prefix of the layers' names: {name}_depthwise, {name}_conv, {name}_norm, {name}_act.
        dtype: dtype policy of the layers.
    """
    x = inputs
    if separable:
        x = DepthwiseConvolution(kernel_size, strides, dilation_rate, name=f"{name}_depthwise", dtype=dtype)(x)
        kernel_size = strides = dilation_rate = 1
    x = Convolution(filters, kernel_size, strides, dilation_rate, name=f"{name}_conv", dtype=dtype)(x)
    x = BatchNormalization(gamma_initializer=gamma_initializer, name=f"{name}_norm", dtype=dtype)(x)
    if activation is None:
        return x
    return keras.layers.Activation(activation, name=f"{name}_act", dtype=dtype)(x)
