"""Small heads on a frozen transformer's patch tokens: a linear classifier, and a ConvNeXt-style one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from desertseg.layers import GELU, BatchNormalization, Convolution, DepthwiseConvolution
from desertseg.models.features import crop_logits, feature_strides, pick_feature, read_features, size_multiple_of
from desertseg.models.heads import classify
from desertseg.models.network import Network


@keras.saving.register_keras_serializable("desertseg")
class LinearHead(Network):
    """A linear classifier of every patch, upsampled; the measure of what a backbone knows.

    DINOv2's own linear segmentation head is `normalize=True` on the last block, or on four of them.

    Args:
        backbone: any Keras model that returns a dict of named features; see `features.py`.
        num_classes: channels of the logits.
        inputs_from: names of the features that are concatenated; None takes all that have the deepest stride.
        normalize: batch normalisation before the classifier.
        dropout: rate before the classifier. 0 by default: a dropout mask is hidden state, which a resumed run would
            not repeat.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3) of any size: float32 logits (B, H, W, num_classes).

    Raises:
        ModelError: a feature that the backbone has not.

    Source: Oquab et al. 2023, "DINOv2", section 7.4, semantic segmentation, "Linear".
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        inputs_from: Sequence[str] | None = None,
        normalize: bool = False,
        dropout: float = 0.0,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        strides = feature_strides(backbone)
        if inputs_from is None:
            inputs_from = [name for name, stride in strides.items() if stride == max(strides.values())]
        names = tuple(pick_feature(strides, name, role="inputs_from") for name in inputs_from)
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = features[names[0]]
        if len(names) > 1:
            x = keras.layers.Concatenate(name="head_concat", dtype=dtype)([features[name] for name in names])
        if normalize:
            x = BatchNormalization(name="head_norm", dtype=dtype)(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name="head_dropout", dtype=dtype)(x)
        logits = crop_logits(classify(x, images, num_classes), inputs, images)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            inputs_from=names,
            normalize=normalize,
            dropout=dropout,
            size_multiple=size_multiple,
        )


@keras.saving.register_keras_serializable("desertseg")
class ConvNeXtHead(Network):
    """The ConvNeXt-style head of the organiser's starter code: no normalisation and no shortcut.

    A 7x7, a depthwise 7x7 and a 1x1 convolution, each with bias and an exact GELU behind it, and the classifier.

    Args:
        backbone: any Keras model that returns a dict of named features; see `features.py`.
        num_classes: channels of the logits.
        channels: of the three convolutions.
        feature: name of the feature that is read; None is the deepest, for DINOv2 the last block's.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3) of any size: float32 logits (B, H, W, num_classes).

    Raises:
        ModelError: a feature that the backbone has not.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        channels: int = 128,
        feature: str | None = None,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        feature = pick_feature(feature_strides(backbone), feature, role="feature")
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = features[feature]
        for layer in (
            Convolution(channels, 7, use_bias=True, name="head_stem", dtype=dtype),
            DepthwiseConvolution(7, use_bias=True, name="head_depthwise", dtype=dtype),
            Convolution(channels, 1, use_bias=True, name="head_pointwise", dtype=dtype),
        ):
            x = GELU(name=f"{layer.name}_gelu", dtype=dtype)(layer(x))
        logits = crop_logits(classify(x, images, num_classes), inputs, images)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            channels=channels,
            feature=feature,
            size_multiple=size_multiple,
        )
