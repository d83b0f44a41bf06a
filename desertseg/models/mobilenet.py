"""MobileNetV3-Large, as torchvision lays it out, with dilation in place of stride.

Layer names, for whoever copies weights (torchvision's name on the right; N counts the blocks from 1):

    stem_conv, stem_norm                                              features.0.0, features.0.1
    stage{i}_block{j}_expand_conv, ..._expand_norm                    features.N.block.0.0, .1
    stage{i}_block{j}_depthwise, ..._depthwise_norm                   features.N.block.1.0, .1
    stage{i}_block{j}_squeeze_conv, ..._excite_conv                   features.N.block.2.fc1, .fc2
    stage{i}_block{j}_project_conv, ..._project_norm                  features.N.block.3.0, .1
    last_conv, last_norm                                              features.16.0, .1

A block without expansion or squeeze-excitation closes the gap in torchvision's numbers.

Source: Howard et al. 2019, "Searching for MobileNetV3", table 1 and section 6.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from desertseg.errors import suggest
from desertseg.layers import BatchNormalization, Convolution, DepthwiseConvolution, ImagePooling
from desertseg.models.errors import ModelError
from desertseg.models.network import Network

OUTPUT_STRIDES = (8, 16, 32)
FEATURES = ("stem", "stage1", "stage2", "stage3", "stage4")


class _Block(NamedTuple):
    """A row of the paper's table 1."""

    stage: int
    kernel_size: int
    expanded: int
    filters: int
    squeeze: bool
    activation: str
    strides: int = 1


_LARGE = (
    _Block(0, 3, 16, 16, False, "relu"),
    _Block(1, 3, 64, 24, False, "relu", 2),
    _Block(1, 3, 72, 24, False, "relu"),
    _Block(2, 5, 72, 40, True, "relu", 2),
    _Block(2, 5, 120, 40, True, "relu"),
    _Block(2, 5, 120, 40, True, "relu"),
    _Block(3, 3, 240, 80, False, "hard_silu", 2),
    _Block(3, 3, 200, 80, False, "hard_silu"),
    _Block(3, 3, 184, 80, False, "hard_silu"),
    _Block(3, 3, 184, 80, False, "hard_silu"),
    _Block(3, 3, 480, 112, True, "hard_silu"),
    _Block(3, 3, 672, 112, True, "hard_silu"),
    _Block(4, 5, 672, 160, True, "hard_silu", 2),
    _Block(4, 5, 960, 160, True, "hard_silu"),
    _Block(4, 5, 960, 160, True, "hard_silu"),
)


@keras.saving.register_keras_serializable("desertseg")
class MobileNetV3(Network):
    """MobileNetV3-Large without its classifier, returning named features.

    Args:
        output_stride: 8, 16 or 32. Later strides become dilation, also of the convolution that had the stride, as in
            torchvision's segmentation networks (at 16).
        features: what comes back: "stem" (stride 2), "stage1" (4), "stage2" (8), "stage3" (16), "stage4" (the last 1x1
            convolution, at `output_stride`), or a block, "stage2_block1".
        width: factor of every channel count, rounded to multiples of 8; 1 as published.
        dtype: dtype policy.

    Returns, when called with (B, H, W, 3): dict of the features, shallow to deep.

    Raises:
        ModelError: an output stride other than 8, 16, 32, or a feature that there is not.
    """

    def __init__(
        self,
        output_stride: int = 16,
        features: Sequence[str] = FEATURES,
        width: float = 1.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if output_stride not in OUTPUT_STRIDES:
            raise ModelError(f"output stride {output_stride} is not possible; choose 8, 16 or 32")
        inputs = keras.Input((None, None, 3))
        x = Convolution(_channels(16, width), 3, 2, name="stem_conv", dtype=dtype)(inputs)
        x = _normalize(x, "hard_silu", "stem", dtype)
        found = {"stem": x}
        stride, dilation = 2, 1
        for block, name in zip(_LARGE, block_names(), strict=True):
            strides = block.strides
            if stride * strides > output_stride:
                strides, dilation = 1, dilation * 2
            stride *= strides
            x = _inverted_residual(x, block, strides, dilation, width, name, dtype)
            found |= {name: x, f"stage{block.stage}": x}
        x = Convolution(6 * x.shape[-1], 1, name="last_conv", dtype=dtype)(x)
        found["stage4"] = _normalize(x, "hard_silu", "last", dtype)
        for name in features:
            if name not in found:
                raise ModelError(f"no feature '{name}'{suggest(name, found)}; there are {', '.join(found)}")
        super().__init__(inputs=inputs, outputs={name: found[name] for name in features}, **kwargs)
        self._remember(dtype, output_stride=output_stride, features=tuple(features), width=width)


def block_names() -> list[str]:
    """Return the prefixes of the blocks' layers, "stage0_block1" to "stage4_block3"."""
    names: list[str] = []
    for block in _LARGE:
        names.append(f"stage{block.stage}_block{1 + sum(n.startswith(f'stage{block.stage}_') for n in names)}")
    return names


def _inverted_residual(
    inputs: Any, block: _Block, strides: int, dilation: int, width: float, name: str, dtype: Any
) -> Any:
    """Return project(squeeze_excite(depthwise(expand(inputs)))), plus the inputs where the shapes agree."""
    expanded, filters = _channels(block.expanded, width), _channels(block.filters, width)
    x = inputs
    if expanded != inputs.shape[-1]:
        x = Convolution(expanded, 1, name=f"{name}_expand_conv", dtype=dtype)(x)
        x = _normalize(x, block.activation, f"{name}_expand", dtype)
    x = DepthwiseConvolution(block.kernel_size, strides, dilation, name=f"{name}_depthwise", dtype=dtype)(x)
    x = _normalize(x, block.activation, f"{name}_depthwise", dtype)
    if block.squeeze:
        x = _squeeze_excite(x, _channels(expanded // 4, 1), name, dtype)
    x = Convolution(filters, 1, name=f"{name}_project_conv", dtype=dtype)(x)
    x = _normalize(x, None, f"{name}_project", dtype)
    if block.strides == 1 and inputs.shape[-1] == filters:
        x = keras.layers.Add(name=f"{name}_add", dtype=dtype)([x, inputs])
    return x


def _squeeze_excite(inputs: Any, squeezed: int, name: str, dtype: Any) -> Any:
    """Return the inputs, each channel scaled by a number in [0, 1] that the means of all channels decide."""
    x = ImagePooling(name=f"{name}_squeeze_mean", dtype=dtype)(inputs)
    x = Convolution(squeezed, 1, use_bias=True, activation="relu", name=f"{name}_squeeze_conv", dtype=dtype)(x)
    x = Convolution(
        inputs.shape[-1], 1, use_bias=True, activation="hard_sigmoid", name=f"{name}_excite_conv", dtype=dtype
    )(x)
    return keras.layers.Multiply(name=f"{name}_excite", dtype=dtype)([inputs, x])


def _normalize(inputs: Any, activation: str | None, name: str, dtype: Any) -> Any:
    # The published momentum 0.99 and epsilon 0.001, which torchvision keeps.
    x = BatchNormalization(0.99, 1e-3, name=f"{name}_norm", dtype=dtype)(inputs)
    return x if activation is None else keras.layers.Activation(activation, name=f"{name}_act", dtype=dtype)(x)


def _channels(published: float, width: float) -> int:
    """Return a channel count, scaled and rounded to a multiple of 8, at least 8 and not below 90 % of the exact one."""
    exact = published * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded
