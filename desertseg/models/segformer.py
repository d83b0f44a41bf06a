"""SegFormer: features of four resolutions, each projected linearly, joined at stride 4 and scored.

Source: Xie et al. 2021, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers".
"""

from __future__ import annotations

from typing import Any

import keras

from desertseg.layers import BatchNormalization, LinearFusion
from desertseg.models.errors import ModelError
from desertseg.models.heads import classify
from desertseg.models.network import Network

_FEATURES = ("stage1", "stage2", "stage3", "stage4")


@keras.saving.register_keras_serializable("desertseg")
class SegFormer(Network):
    """SegFormer's all-MLP head on a backbone's four stages; logits at the input's size.

    Args:
        backbone: a network that returns a dict with "stage1" (stride 4) to "stage4"; `MiT` as published.
        num_classes: channels of the logits.
        decoder_channels: of the projections; None is 256 on a `MiT` of up to eight blocks (B0, B1) and on other
            backbones, 768 on a deeper one (B2 to B5), as published.
        dropout: rate before the classifier, 0.1 as published. 0 by default: a dropout mask is hidden state, which a
            resumed run would not repeat.
        dtype: dtype policy; the classifier is float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes).

    Raises:
        ModelError: the backbone lacks one of the four features.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        decoder_channels: int | None = None,
        dropout: float = 0.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        channels = decoder_channels or (768 if sum(getattr(backbone, "depths", ())) > 8 else 256)
        inputs = keras.Input((None, None, 3))
        features = backbone(inputs)
        missing = [name for name in _FEATURES if name not in features]
        if missing:
            raise ModelError(
                f"SegFormer's head wants features {', '.join(_FEATURES)}; backbone '{backbone.name}' gives "
                f"{', '.join(features)}: choose a MiT or a ResNet"
            )
        x = LinearFusion(channels, name="fusion", dtype=dtype)([features[name] for name in _FEATURES])
        x = BatchNormalization(name="fusion_norm", dtype=dtype)(x)
        x = keras.layers.Activation("relu", name="fusion_act", dtype=dtype)(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name="fusion_dropout", dtype=dtype)(x)
        super().__init__(inputs=inputs, outputs=classify(x, inputs, num_classes), **kwargs)
        self._remember(dtype, backbone=backbone, num_classes=num_classes, decoder_channels=channels, dropout=dropout)
