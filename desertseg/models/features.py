"""What a backbone offers: named features, their strides, and the sizes of picture that it takes.

A backbone is any Keras model that takes images (B, H, W, 3) of any size and returns a dict of features (B, h, w, C):
one of this package, or one of the user's:

    encoder = keras.applications.MobileNetV2(input_shape=(None, None, 3), include_top=False)
    names = {"low": "block_3_expand_relu", "deep": "block_13_expand_relu"}
    backbone = keras.Model(encoder.input, {name: encoder.get_layer(layer).output for name, layer in names.items()})
    network = DeepLabV3Plus(backbone, num_classes=10)

It is given images that `Segmenter` has normalised with ImageNet's mean and standard deviation; one that has its own
preprocessing, or none of that kind, goes through `undo_normalization` first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from desertseg.errors import suggest
from desertseg.layers import CropLike, PadToMultiple
from desertseg.models.errors import ModelError

# Shapes are inferred at a multiple of this: of 2 ... 64 and of the patches 7, 12, 14 and 16.
_PROBE = 1344


def feature_strides(backbone: keras.Model) -> dict[str, int]:
    """Return {name: stride} of a backbone's features, shallow to deep; equal strides in the backbone's own order.

    The stride is that of a large picture, rounded: a network without padding counts as one that has it.

    Raises:
        ModelError: the model is not a backbone; the message says what was found and what to do.
    """
    _check_input(backbone)
    size = math.lcm(_PROBE, size_multiple_of(backbone)) * 2
    images = keras.KerasTensor((1, size, size, 3), "float32")
    outputs = backbone.compute_output_spec(images) if backbone.built else backbone(images)
    _check_outputs(backbone, outputs)
    strides = {name: max(1, round(size / output.shape[1])) for name, output in outputs.items()}
    return dict(sorted(strides.items(), key=lambda item: item[1]))


def output_stride_of(backbone: keras.Model) -> int:
    """Return the stride of the deepest feature: the backbone's `output_stride` where it has one, else inferred."""
    stride = getattr(backbone, "output_stride", None)
    return max(feature_strides(backbone).values()) if stride is None else int(stride)


def size_multiple_of(backbone: keras.Model) -> int:
    """Return the number that must divide the height and width of the backbone's images: its `size_multiple`, else 1."""
    return int(getattr(backbone, "size_multiple", 1))


def pick_feature(strides: Mapping[str, int], name: str | None, *, stride: int | None = None, role: str = "") -> str:
    """Return `name` if it is a feature, or for None the deepest feature, of `stride` where that is given.

    Args:
        strides: from `feature_strides`.
        name: as the user gave it, or None.
        stride: asked of the deepest feature; None takes any.
        role: the argument's name, for the message.

    Raises:
        ModelError: no such name, or no feature of that stride.
    """
    if name is not None:
        if name in strides:
            return name
        raise ModelError(
            f"the backbone has no feature '{name}'{suggest(name, strides)}; {role} can be {describe(strides)}"
        )
    fitting = [n for n, s in strides.items() if stride in (None, s)]
    if fitting:
        return fitting[-1]
    raise ModelError(
        f"the backbone has no feature of stride {stride}, only {describe(strides)}; add one to its outputs, or "
        f"name the feature to take with {role}="
    )


def read_features(backbone: keras.Model, images: Any, size_multiple: int) -> tuple[dict[str, Any], Any]:
    """Return the features of normalised images of any size, and the images as the backbone took them.

    Where `size_multiple` is more than 1 the images are padded with zeros at the bottom and right; logits made at the
    size of the second value go through `crop_logits`.
    """
    if size_multiple > 1:
        images = PadToMultiple(size_multiple, name="pad", dtype="float32")(images)
    return backbone(images), images


def crop_logits(logits: Any, images: Any, padded: Any, name: str = "crop") -> Any:
    """Return logits at the size of `images`, from those of the padded images of `read_features`."""
    return logits if padded is images else CropLike(name=name, dtype="float32")(logits, images)


def describe(strides: Mapping[str, int]) -> str:
    """Return "stage1 (stride 4), stage2 (stride 8)"."""
    return ", ".join(f"{name} (stride {stride})" for name, stride in strides.items())


def undo_normalization(backbone: keras.Model) -> keras.Model:
    """Return a backbone that turns normalised images back into RGB in [0, 255] and gives them to `backbone`.

    For models with preprocessing inside, such as `keras.applications.EfficientNetB0`. Put before one that wants images
    in [-1, 1] a `keras.layers.Rescaling(1 / 127.5, -1.0)` of your own.
    """
    from desertseg.models.segmenter import IMAGE_MEAN, IMAGE_STD

    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Rescaling(
        [255 * s for s in IMAGE_STD], [255 * m for m in IMAGE_MEAN], name="undo_normalization"
    )
    return keras.Model(inputs, backbone(layer(inputs)), name=f"raw_{backbone.name}")


def _check_input(backbone: keras.Model) -> None:
    if not isinstance(backbone, keras.Model):
        raise ModelError(f"the backbone is a {type(backbone).__name__}; a keras.Model is expected")
    inputs = getattr(backbone, "inputs", None)
    if not inputs:  # a subclassed model shows no inputs before it is called
        return
    if len(inputs) > 1:
        raise ModelError(f"backbone '{backbone.name}' has {len(inputs)} inputs; one, images (B, H, W, 3), is expected")
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3:
        raise ModelError(
            f"backbone '{backbone.name}' takes {shape}; images (None, None, None, 3), channels last, are expected: "
            "build it with input_shape=(None, None, 3)"
        )
    if shape[1] is not None or shape[2] is not None:
        raise ModelError(
            f"backbone '{backbone.name}' is fixed to images of {shape[1]}x{shape[2]}; build it with "
            "input_shape=(None, None, 3), so that it takes any size"
        )


def _check_outputs(backbone: keras.Model, outputs: Any) -> None:
    if not isinstance(outputs, dict) or not outputs:
        raise ModelError(
            f"backbone '{backbone.name}' returns a {type(outputs).__name__}; a dict of named features is expected: "
            "keras.Model(model.input, {'low': model.get_layer(...).output, 'deep': model.output})"
        )
    for name, output in outputs.items():
        shape = tuple(getattr(output, "shape", ()))
        if len(shape) != 4 or None in shape[1:3]:
            raise ModelError(
                f"feature '{name}' of backbone '{backbone.name}' has shape {shape}; (B, h, w, C) is expected: take it "
                "from a layer before the pooling or flattening"
            )
