"""ResNet, as torchvision lays it out (v1.5: the stride is in the 3x3 convolution), with dilation in place of stride.

Block layout and layer names, for whoever copies weights (torchvision's name on the right):

    stem_conv, stem_norm                                   conv1, bn1
    stage{i}_block{j}_{k}_conv, stage{i}_block{j}_{k}_norm layer{i}.{j-1}.conv{k}, layer{i}.{j-1}.bn{k}
    stage{i}_block{j}_shortcut_conv, ..._shortcut_norm     layer{i}.{j-1}.downsample.0, layer{i}.{j-1}.downsample.1

Sources: He et al. 2016, "Deep Residual Learning for Image Recognition"; Goyal et al. 2017, section 5.1 (last scale of
a residual branch starts at zero); Chen et al. 2017, section 3.1 (dilation in place of stride).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from desertseg.layers import MaxPooling, conv_norm
from desertseg.models.errors import ModelError
from desertseg.models.network import Network

OUTPUT_STRIDES = (8, 16, 32)


@keras.saving.register_keras_serializable("desertseg")
class ResNet(Network):
    """A ResNet that returns its named intermediate features.

    Args:
        blocks: residual blocks in each of the four stages; (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) with `bottleneck`
            ResNet-50.
        bottleneck: 1x1, 3x3, 1x1 convolutions with four times the channels out; else two 3x3.
        width: channels of the stem and of the first stage's 3x3 convolutions; 64 as published.
        output_stride: 8, 16 or 32. Later strides become dilation.
        dilate_first_block: where a stage's stride became dilation, its first stride-bearing 3x3 convolution dilates too
            (segmentation_models.pytorch); else it keeps the dilation of the stage before, which is what gives weights
            trained at stride 32 the picture that they know (torchvision, timm).
        zero_init: the last scale of each residual branch starts at zero.
        dtype: dtype policy.

    Returns, when called with (B, H, W, 3): dict "stem" (B, H/2, W/2, width), "stage1" (stride 4) ... "stage4" (stride
    `output_stride`).

    Raises:
        ModelError: an output stride other than 8, 16, 32, or other than four stages.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 2, 2, 2),
        bottleneck: bool = False,
        width: int = 64,
        output_stride: int = 32,
        dilate_first_block: bool = False,
        zero_init: bool = True,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if output_stride not in OUTPUT_STRIDES:
            raise ModelError(f"output stride {output_stride} is not possible; choose 8, 16 or 32")
        if len(blocks) != 4:
            raise ModelError(f"a ResNet has four stages; blocks={tuple(blocks)} describes {len(blocks)}")
        inputs = keras.Input((None, None, 3))
        x = conv_norm(inputs, width, 7, strides=2, name="stem", dtype=dtype)
        features = {"stem": x}
        x = MaxPooling(name="stem_pool", dtype=dtype)(x)
        stride, dilation = 4, 1
        for stage, depth in enumerate(blocks, 1):
            step = 1 if stage == 1 else 2
            first = dilation
            if stride * step > output_stride:
                step, dilation = 1, dilation * 2
                first = dilation if dilate_first_block else first
            stride *= step
            for index in range(1, depth + 1):
                x = _residual_block(
                    x,
                    width * 2 ** (stage - 1),
                    bottleneck,
                    strides=step if index == 1 else 1,
                    dilation_rates=(first if index == 1 else dilation, dilation),
                    gamma_initializer="zeros" if zero_init else "ones",
                    name=f"stage{stage}_block{index}",
                    dtype=dtype,
                )
            features[f"stage{stage}"] = x
        super().__init__(inputs=inputs, outputs=features, **kwargs)
        self._remember(
            dtype,
            blocks=tuple(blocks),
            bottleneck=bottleneck,
            width=width,
            output_stride=output_stride,
            dilate_first_block=dilate_first_block,
            zero_init=zero_init,
        )


def _residual_block(
    inputs: Any,
    width: int,
    bottleneck: bool,
    *,
    strides: int,
    dilation_rates: tuple[int, int],
    gamma_initializer: str,
    name: str,
    dtype: Any,
) -> Any:
    """Return relu(branch + shortcut). `dilation_rates`: of the convolution with the stride, of the one behind it."""
    filters = width * 4 if bottleneck else width
    last: dict[str, Any] = {"activation": None, "gamma_initializer": gamma_initializer}
    if bottleneck:
        x = conv_norm(inputs, width, 1, name=f"{name}_1", dtype=dtype)
        x = conv_norm(x, width, 3, strides, dilation_rates[0], name=f"{name}_2", dtype=dtype)
        x = conv_norm(x, filters, 1, **last, name=f"{name}_3", dtype=dtype)
    else:
        x = conv_norm(inputs, width, 3, strides, dilation_rates[0], name=f"{name}_1", dtype=dtype)
        x = conv_norm(x, filters, 3, dilation_rate=dilation_rates[1], **last, name=f"{name}_2", dtype=dtype)
    shortcut = inputs
    if strides > 1 or inputs.shape[-1] != filters:
        shortcut = conv_norm(inputs, filters, 1, strides, activation=None, name=f"{name}_shortcut", dtype=dtype)
    x = keras.layers.Add(name=f"{name}_add", dtype=dtype)([x, shortcut])
    return keras.layers.Activation("relu", name=f"{name}_act", dtype=dtype)(x)
