"""DeepLabV3 and DeepLabV3+, as published and as the well-known PyTorch codes have them.

Sources: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation" (V3); Chen et al. 2018,
"Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation" (V3+).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from desertseg.layers import ResizeLike, aspp, conv_norm
from desertseg.models.errors import ModelError
from desertseg.models.features import (
    crop_logits,
    describe,
    feature_strides,
    pick_feature,
    read_features,
    size_multiple_of,
)
from desertseg.models.heads import classify, fcn_head
from desertseg.models.network import Network


@keras.saving.register_keras_serializable("desertseg")
class DeepLabV3Plus(Network):
    """DeepLabV3+: ASPP on the deepest features, joined with those of stride 4, logits at the input's size.

    segmentation_models.pytorch's network is `backbone=ResNet(dilate_first_block=True)` with `atrous_rates=(12, 24, 36)`
    and `aspp_refinement=True`, `decoder_convolutions=1`, `dropout=0.5`, `align_corners=True`.

    Args:
        backbone: any Keras model that returns a dict of named features, one of stride 4 among them; see `features.py`.
        num_classes: channels of the logits.
        atrous_rates: dilation rates of the ASPP; None is (6, 12, 18) at stride 16 of the deep feature, doubled at 8,
            halved at 32.
        aspp_channels, decoder_channels: 256 as published.
        low_level_channels: to which the features of stride 4 are reduced; 48 as published.
        decoder_convolutions: 3x3 convolutions after the concatenation; two as published.
        separable: depthwise-separable convolutions in ASPP and decoder.
        aspp_refinement: one more separable 3x3 convolution after the ASPP.
        dropout: rate after the ASPP's projection. 0 by default: a dropout mask is hidden state, which a resumed run
            would not repeat.
        auxiliary: as in `DeepLabV3`.
        align_corners: how both upsamplings place samples, see `ResizeLike`.
        low_level: name of the feature that is joined; None is the deepest of stride 4.
        deep: name of the feature under the ASPP; None is the deepest.
        size_multiple: what must divide the sizes that the backbone takes: images are padded to it and logits cropped.
            None is the backbone's own attribute of that name, or 1.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes), or the dict
    {"logits", "auxiliary"}.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        atrous_rates: Sequence[int] | None = None,
        aspp_channels: int = 256,
        low_level_channels: int = 48,
        decoder_channels: int = 256,
        decoder_convolutions: int = 2,
        separable: bool = True,
        aspp_refinement: bool = False,
        dropout: float = 0.0,
        auxiliary: bool = False,
        align_corners: bool = False,
        low_level: str | None = None,
        deep: str | None = None,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        strides = feature_strides(backbone)
        low_level = pick_feature(strides, low_level, stride=4, role="low_level")
        deep = pick_feature(strides, deep, role="deep")
        rates = tuple(atrous_rates or default_rates(strides[deep]))
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = aspp(features[deep], aspp_channels, rates, separable=separable, dropout=dropout, dtype=dtype)
        if aspp_refinement:
            x = conv_norm(x, aspp_channels, 3, separable=separable, name="aspp_refine", dtype=dtype)
        low = conv_norm(features[low_level], low_level_channels, 1, name="low_level", dtype=dtype)
        x = ResizeLike(align_corners, name="aspp_resize", dtype=dtype)(x, low)
        x = keras.layers.Concatenate(name="decoder_concat", dtype=dtype)([x, low])
        for index in range(1, decoder_convolutions + 1):
            x = conv_norm(x, decoder_channels, 3, separable=separable, name=f"decoder{index}", dtype=dtype)
        outputs = crop_logits(classify(x, images, num_classes, align_corners=align_corners), inputs, images)
        if auxiliary:
            second = fcn_head(features[feature_before(strides, deep)], images, num_classes, dtype=dtype)
            outputs = {"logits": outputs, "auxiliary": crop_logits(second, inputs, images, name="auxiliary_crop")}
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            atrous_rates=rates,
            aspp_channels=aspp_channels,
            low_level_channels=low_level_channels,
            decoder_channels=decoder_channels,
            decoder_convolutions=decoder_convolutions,
            separable=separable,
            aspp_refinement=aspp_refinement,
            dropout=dropout,
            auxiliary=auxiliary,
            align_corners=align_corners,
            low_level=low_level,
            deep=deep,
            size_multiple=size_multiple,
        )


@keras.saving.register_keras_serializable("desertseg")
class DeepLabV3(Network):
    """DeepLabV3: ASPP on the deepest features, one 3x3 convolution, logits at the input's size.

    torchvision's network is `backbone=ResNet(output_stride=8)` with `atrous_rates=(12, 24, 36)`, `dropout=0.5` and,
    where it has one, `auxiliary=True`.

    Args:
        backbone: any Keras model that returns a dict of named features; see `features.py`.
        num_classes: channels of the logits.
        atrous_rates: as in `DeepLabV3Plus`.
        aspp_channels, decoder_channels: 256 as published.
        decoder_convolutions: 3x3 convolutions after the ASPP; one as torchvision has it.
        separable: depthwise-separable convolutions in ASPP and decoder.
        dropout: rate after the ASPP's projection; see `DeepLabV3Plus`.
        auxiliary: add torchvision's FCN head on the feature before `deep`; then a dict {"logits", "auxiliary"} comes
            back.
        align_corners: how the upsampling places samples, see `ResizeLike`.
        deep: name of the feature under the ASPP; None is the deepest.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes), or the dict.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        atrous_rates: Sequence[int] | None = None,
        aspp_channels: int = 256,
        decoder_channels: int = 256,
        decoder_convolutions: int = 1,
        separable: bool = False,
        dropout: float = 0.0,
        auxiliary: bool = False,
        align_corners: bool = False,
        deep: str | None = None,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        strides = feature_strides(backbone)
        deep = pick_feature(strides, deep, role="deep")
        rates = tuple(atrous_rates or default_rates(strides[deep]))
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = aspp(features[deep], aspp_channels, rates, separable=separable, dropout=dropout, dtype=dtype)
        for index in range(1, decoder_convolutions + 1):
            x = conv_norm(x, decoder_channels, 3, separable=separable, name=f"decoder{index}", dtype=dtype)
        outputs = crop_logits(classify(x, images, num_classes, align_corners=align_corners), inputs, images)
        if auxiliary:
            second = fcn_head(features[feature_before(strides, deep)], images, num_classes, dtype=dtype)
            outputs = {"logits": outputs, "auxiliary": crop_logits(second, inputs, images, name="auxiliary_crop")}
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            atrous_rates=rates,
            aspp_channels=aspp_channels,
            decoder_channels=decoder_channels,
            decoder_convolutions=decoder_convolutions,
            separable=separable,
            dropout=dropout,
            auxiliary=auxiliary,
            align_corners=align_corners,
            deep=deep,
            size_multiple=size_multiple,
        )


def default_rates(output_stride: int) -> tuple[int, int, int]:
    """Return the ASPP's rates as published: 6, 12, 18 at output stride 16, in proportion elsewhere."""
    return 96 // output_stride, 192 // output_stride, 288 // output_stride


def feature_before(strides: Mapping[str, int], deep: str) -> str:
    """Return the name of the feature before `deep`, shallow to deep.

    Raises:
        ModelError: `deep` is the first.
    """
    names = list(strides)
    if names.index(deep) == 0:
        raise ModelError(
            f"an auxiliary head needs a feature before '{deep}'; the backbone has only {describe(strides)}"
        )
    return names[names.index(deep) - 1]
