"""UPerNet: a feature pyramid under pyramid pooling, as published, and a dilated variant for one feature.

Sources: Xiao et al. 2018, "Unified Perceptual Parsing for Scene Understanding", section 3.1; Zhao et al. 2017, "Pyramid
Scene Parsing Network", section 3.2 (pyramid pooling).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from desertseg.layers import AdaptiveAveragePooling, Convolution, Rescale, ResizeLike, conv_norm
from desertseg.models.features import crop_logits, feature_strides, pick_feature, read_features, size_multiple_of
from desertseg.models.heads import classify
from desertseg.models.network import Network

GRIDS = (1, 2, 3, 6)


@keras.saving.register_keras_serializable("desertseg")
class UPerNet(Network):
    """UPerNet: pyramid pooling on the deepest feature, a top-down pyramid, all levels fused at the finest.

    The head is that of mmsegmentation and of `transformers`' `UperNetForSemanticSegmentation`.

    Features of one stride, such as a ViT's, are made into a pyramid of four times, twice, once and half their size by
    bilinear resizing, after the lateral convolution. mmsegmentation does it before, with transposed convolutions and
    batch normalisation on all of the backbone's channels: weights and sixteen times the work for what the 3x3
    convolutions behind learn as well.

    Args:
        backbone: any Keras model that returns a dict of named features; see `features.py`.
        num_classes: channels of the logits.
        channels: of every level; 512 as published.
        inputs_from: names of the features, shallow to deep; None takes all of stride 4 and more.
        grids: of the pyramid pooling; 1, 2, 3, 6 as published.
        pyramid: resize the features to a pyramid; None does so where there are several of one stride.
        dropout: rate before the classifier; 0 by default, see `DeepLabV3Plus`.
        align_corners: how every upsampling places samples, see `ResizeLike`.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes).

    Raises:
        ModelError: a feature that the backbone does not have.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        channels: int = 512,
        inputs_from: Sequence[str] | None = None,
        grids: Sequence[int] = GRIDS,
        pyramid: bool | None = None,
        dropout: float = 0.0,
        align_corners: bool = False,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        strides = feature_strides(backbone)
        names = _level_names(strides, inputs_from)
        if pyramid is None:
            pyramid = len(names) > 1 and len({strides[name] for name in names}) == 1
        inputs = keras.Input((None, None, 3))
        found, images = read_features(backbone, inputs, size_multiple)
        levels = _laterals([found[name] for name in names], channels, grids, pyramid, align_corners, dtype)
        for index in range(len(levels) - 1, 0, -1):
            above = ResizeLike(align_corners, name=f"topdown{index}_resize", dtype=dtype)(
                levels[index], levels[index - 1]
            )
            levels[index - 1] = keras.layers.Add(name=f"topdown{index}", dtype=dtype)([levels[index - 1], above])
        levels[:-1] = [conv_norm(x, channels, 3, name=f"fpn{i}", dtype=dtype) for i, x in enumerate(levels[:-1], 1)]
        fused = [
            ResizeLike(align_corners, name=f"fpn{i}_resize", dtype=dtype)(x, levels[0])
            for i, x in enumerate(levels[1:], 2)
        ]
        x = keras.layers.Concatenate(name="fusion_concat", dtype=dtype)([levels[0], *fused]) if fused else levels[0]
        x = conv_norm(x, channels, 3, name="fusion", dtype=dtype)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout", dtype=dtype)(x)
        logits = crop_logits(classify(x, images, num_classes, align_corners=align_corners), inputs, images)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            channels=channels,
            inputs_from=tuple(names),
            grids=tuple(grids),
            pyramid=pyramid,
            dropout=dropout,
            align_corners=align_corners,
            size_multiple=size_multiple,
        )


@keras.saving.register_keras_serializable("desertseg")
class DilatedUPerNet(Network):
    """Pyramid pooling on the last feature, then three dilated branches: no top-down pyramid in spite of its name.

    It is the head of a published desert system (a frozen DINOv2 ViT-B/14 with registers), whose authors call it
    UPerNet. Their description says no more than is built here: pooling grids 1, 2, 3, 6 joined with the feature by a
    3x3 convolution, dilations 1, 2, 4 in parallel, 256 channels, GroupNorm, dropout 0.1. The order of fusion, dropout
    and classifier is the usual one. Nobody's weights fit it, so there is no parity to claim.

    Args:
        backbone: any Keras model that returns a dict of named features; see `features.py`.
        num_classes: channels of the logits.
        channels: of every convolution; a multiple of `groups`.
        dilation_rates: of the parallel branches.
        grids: of the pyramid pooling.
        groups: of the group normalisation.
        dropout: rate before the classifier, 0.1 in that system; 0 by default, see `DeepLabV3Plus`.
        deep: name of the feature; None is the deepest.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes).

    Raises:
        ModelError: a feature that the backbone does not have.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        channels: int = 256,
        dilation_rates: Sequence[int] = (1, 2, 4),
        grids: Sequence[int] = GRIDS,
        groups: int = 32,
        dropout: float = 0.0,
        deep: str | None = None,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        deep = pick_feature(feature_strides(backbone), deep, role="deep")
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = features[deep]
        pooled = [x]
        for grid in grids:
            level = AdaptiveAveragePooling(grid, name=f"pooling{grid}_mean", dtype=dtype)(x)
            level = _conv_group_norm(level, channels, 1, 1, groups, f"pooling{grid}", dtype)
            pooled.append(ResizeLike(name=f"pooling{grid}_resize", dtype=dtype)(level, x))
        x = keras.layers.Concatenate(name="pooling_concat", dtype=dtype)(pooled)
        x = _conv_group_norm(x, channels, 3, 1, groups, "bottleneck", dtype)
        branches = [_conv_group_norm(x, channels, 3, rate, groups, f"dilated{rate}", dtype) for rate in dilation_rates]
        x = keras.layers.Concatenate(name="dilated_concat", dtype=dtype)(branches)
        x = _conv_group_norm(x, channels, 1, 1, groups, "fusion", dtype)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout", dtype=dtype)(x)
        logits = crop_logits(classify(x, images, num_classes), inputs, images)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            channels=channels,
            dilation_rates=tuple(dilation_rates),
            grids=tuple(grids),
            groups=groups,
            dropout=dropout,
            deep=deep,
            size_multiple=size_multiple,
        )


def _level_names(strides: dict[str, int], inputs_from: Sequence[str] | None) -> list[str]:
    if inputs_from is not None:
        return [pick_feature(strides, name, role="inputs_from") for name in inputs_from]
    deep = [name for name, stride in strides.items() if stride >= 4]
    return deep or list(strides)


def _laterals(
    features: list[Any], channels: int, grids: Sequence[int], pyramid: bool, align_corners: bool, dtype: Any
) -> list[Any]:
    """Return every level with `channels` channels: 1x1 convolutions, pyramid pooling for the deepest."""
    levels = [conv_norm(x, channels, 1, name=f"lateral{i}", dtype=dtype) for i, x in enumerate(features[:-1], 1)]
    deep = features[-1]
    if pyramid:
        factors = [2.0 ** (len(features) - 2 - i) for i in range(len(features))]
        levels = [
            Rescale(f, name=f"lateral{i}_rescale", dtype=dtype)(x) if f != 1 else x
            for i, (x, f) in enumerate(zip(levels, factors, strict=False), 1)
        ]
        deep = Rescale(factors[-1], name="deep_rescale", dtype=dtype)(deep)
    pooled = [deep]
    for grid in grids:
        x = AdaptiveAveragePooling(grid, name=f"pooling{grid}_mean", dtype=dtype)(deep)
        x = conv_norm(x, channels, 1, name=f"pooling{grid}", dtype=dtype)
        pooled.append(ResizeLike(align_corners, name=f"pooling{grid}_resize", dtype=dtype)(x, deep))
    x = keras.layers.Concatenate(name="pooling_concat", dtype=dtype)(pooled)
    return [*levels, conv_norm(x, channels, 3, name="bottleneck", dtype=dtype)]


def _conv_group_norm(
    inputs: Any, filters: int, kernel_size: int, dilation_rate: int, groups: int, name: str, dtype: Any
) -> Any:
    x = Convolution(filters, kernel_size, 1, dilation_rate, name=f"{name}_conv", dtype=dtype)(inputs)
    x = keras.layers.GroupNormalization(groups, epsilon=1e-5, name=f"{name}_norm", dtype=dtype)(x)
    return keras.layers.Activation("relu", name=f"{name}_act", dtype=dtype)(x)
