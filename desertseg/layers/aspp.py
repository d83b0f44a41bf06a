"""Atrous spatial pyramid pooling: one picture seen at several dilation rates and as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from desertseg.layers.block import conv_norm
from desertseg.layers.pooling import ImagePooling
from desertseg.layers.resize import BroadcastLike


def aspp(
    inputs: Any,
    filters: int,
    rates: Sequence[int],
    *,
    separable: bool = False,
    dropout: float = 0.0,
    name: str = "aspp",
    dtype: Any = None,
) -> Any:
    """Return (B, H, W, filters): 1x1, one atrous 3x3 for each rate and image pooling, joined by a 1x1 convolution.

    Args:
        inputs: (B, H, W, C).
        rates: dilation rates, (6, 12, 18) at output stride 16.
        separable: depthwise-separable atrous convolutions.
        dropout: rate after the projection.
        name: prefix of the layers' names: {name}_pointwise, {name}_atrous1 ..., {name}_pooling, {name}_project.
        dtype: dtype policy of the layers.

    Source: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation", section 3.3.
    """
    branches = [conv_norm(inputs, filters, 1, name=f"{name}_pointwise", dtype=dtype)]
    for index, rate in enumerate(rates, 1):
        branches.append(
            conv_norm(
                inputs, filters, 3, dilation_rate=rate, separable=separable, name=f"{name}_atrous{index}", dtype=dtype
            )
        )
    pooled = ImagePooling(name=f"{name}_pooling_mean", dtype=dtype)(inputs)
    pooled = conv_norm(pooled, filters, 1, name=f"{name}_pooling", dtype=dtype)
    branches.append(BroadcastLike(name=f"{name}_pooling_broadcast", dtype=dtype)(pooled, inputs))
    x = keras.layers.Concatenate(name=f"{name}_concat", dtype=dtype)(branches)
    x = conv_norm(x, filters, 1, name=f"{name}_project", dtype=dtype)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout", dtype=dtype)(x) if dropout else x
