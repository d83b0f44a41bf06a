"""What turns features into class scores. Heads classify first and upsample the few class channels afterwards."""

from __future__ import annotations

from typing import Any

import keras

from desertseg.layers import Convolution, Normal, ResizeLike, conv_norm


def classify(
    features: Any, reference: Any, num_classes: int, *, align_corners: bool = False, name: str = "classifier"
) -> Any:
    """Return float32 logits (B, H, W, num_classes) at the reference's size: 1x1 convolution, then upsampling.

    Both are float32 under every policy: logits resized in bfloat16 change the winner of 0.3 % of the pixels.

    Args:
        features: (B, h, w, C).
        reference: (B, H, W, ...); only its size is used.
        align_corners: as in `ResizeLike`.
        name: of the convolution; the upsampling is {name}_resize.
    """
    logits = Convolution(
        num_classes,
        1,
        use_bias=True,
        kernel_initializer=Normal(0.01),
        name=name,
        dtype="float32",
    )(features)
    return ResizeLike(align_corners, name=f"{name}_resize", dtype="float32")(logits, reference)


def fcn_head(
    features: Any, reference: Any, num_classes: int, *, dropout: float = 0.1, name: str = "auxiliary", dtype: Any = None
) -> Any:
    """Return float32 logits of a plain head: 3x3 convolution to a quarter of the channels, dropout, classifier.

    It is torchvision's auxiliary head, trained beside the main one on an earlier stage.

    Args:
        features: (B, h, w, C).
        reference: (B, H, W, ...), whose size the logits get.
        name: prefix of the layers' names: {name}_conv, {name}_norm, {name}_classifier.
        dtype: dtype policy.
    """
    x = conv_norm(features, features.shape[-1] // 4, 3, name=name, dtype=dtype)
    if dropout:
        x = keras.layers.Dropout(dropout, name=f"{name}_dropout", dtype=dtype)(x)
    return classify(x, reference, num_classes, name=f"{name}_classifier")
