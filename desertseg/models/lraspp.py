"""LR-ASPP, the light head that was published with MobileNetV3, as torchvision has it.

Layer names, for whoever copies weights (torchvision's name on the right):

    project_conv, project_norm         classifier.cbr.0, classifier.cbr.1
    gate_conv                          classifier.scale.1
    low_classifier, high_classifier    classifier.low_classifier, classifier.high_classifier

Source: Howard et al. 2019, "Searching for MobileNetV3", section 6.4 and figure 10; the gate sees the mean of the whole
picture, as in torchvision, where the paper pools windows of 49x49.
"""

from __future__ import annotations

from typing import Any

import keras

from desertseg.layers import Convolution, ImagePooling, Normal, ResizeLike, conv_norm
from desertseg.models.features import crop_logits, feature_strides, pick_feature, read_features, size_multiple_of
from desertseg.models.network import Network


@keras.saving.register_keras_serializable("desertseg")
class LRASPP(Network):
    """Lite reduced ASPP: deep features gated by their mean, scored, and added to the scores of shallow ones.

    torchvision's `lraspp_mobilenet_v3_large` is `backbone=MobileNetV3(features=("stage2_block1", "stage4"))`.

    Args:
        backbone: any Keras model that returns a dict of named features, one of stride 8 among them; see `features.py`.
        num_classes: channels of the logits.
        channels: of the gated features; 128 as published.
        low: name of the shallow feature; None is the first of stride 8.
        deep: name of the deep feature; None is the deepest.
        size_multiple: as in `DeepLabV3Plus`.
        dtype: dtype policy; the classifiers are float32 under every policy.

    Returns, when called with normalised images (B, H, W, 3): float32 logits (B, H, W, num_classes).
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        channels: int = 128,
        low: str | None = None,
        deep: str | None = None,
        size_multiple: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        size_multiple = size_multiple or size_multiple_of(backbone)
        strides = feature_strides(backbone)
        first = next((name for name, stride in strides.items() if stride == 8), None)
        low = pick_feature(strides, low or first, stride=8, role="low")
        deep = pick_feature(strides, deep, role="deep")
        inputs = keras.Input((None, None, 3))
        features, images = read_features(backbone, inputs, size_multiple)
        x = conv_norm(features[deep], channels, 1, name="project", dtype=dtype)
        gate = ImagePooling(name="gate_mean", dtype=dtype)(features[deep])
        gate = Convolution(channels, 1, activation="sigmoid", name="gate_conv", dtype=dtype)(gate)
        x = keras.layers.Multiply(name="gated", dtype=dtype)([x, gate])
        # Scores before the upsampling: a 1x1 convolution and bilinear resizing may change places, and the classes are
        # fewer than the channels.
        deep_scores = _score(x, num_classes, "high_classifier")
        low_scores = _score(features[low], num_classes, "low_classifier")
        deep_scores = ResizeLike(name="high_resize", dtype="float32")(deep_scores, low_scores)
        scores = keras.layers.Add(name="scores", dtype="float32")([low_scores, deep_scores])
        logits = ResizeLike(name="classifier_resize", dtype="float32")(scores, images)
        super().__init__(inputs=inputs, outputs=crop_logits(logits, inputs, images), **kwargs)
        self._remember(
            dtype,
            backbone=backbone,
            num_classes=num_classes,
            channels=channels,
            low=low,
            deep=deep,
            size_multiple=size_multiple,
        )


def _score(features: Any, num_classes: int, name: str) -> Any:
    initializer = Normal(0.01)
    return Convolution(num_classes, 1, use_bias=True, kernel_initializer=initializer, name=name, dtype="float32")(
        features
    )
