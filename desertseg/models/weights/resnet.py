"""ResNets of torchvision and timm, which name their tensors alike."""

from __future__ import annotations

import re
from functools import partial

import keras

from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors, layer_assignments

# (blocks a stage, bottleneck) -> the zoo's name
_NAMES: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}


def module_name(layer: str) -> str | None:
    """Return torchvision's name of the module that is our ResNet's layer, None for a layer of something else."""
    if layer in ("stem_conv", "stem_norm"):
        return {"stem_conv": "conv1", "stem_norm": "bn1"}[layer]
    match = re.fullmatch(r"stage(\d)_block(\d+)_(\d|shortcut)_(conv|norm)", layer)
    if match is None:
        return None
    stage, block, place, kind = match.groups()
    if place == "shortcut":
        return f"layer{stage}.{int(block) - 1}.downsample.{int(kind == 'norm')}"
    return f"layer{stage}.{int(block) - 1}.{'bn' if kind == 'norm' else 'conv'}{place}"


def resnet_name(tensors: Tensors, prefix: str = "") -> str | None:
    """Return the zoo's name of the ResNet whose tensors begin with `prefix`; None for a variant that is none of ours.

    The variants of timm that are left out have a deep stem (resnet50d), grouped convolutions (resnext) or wider ones.
    """
    blocks = tuple(sum(f"{prefix}layer{s}.{b}.conv1.weight" in tensors for b in range(64)) for s in range(1, 5))
    bottleneck = f"{prefix}layer1.0.conv3.weight" in tensors
    name = _NAMES.get((blocks, bottleneck))
    stem, inner = tensors.get(f"{prefix}conv1.weight"), tensors.get(f"{prefix}layer1.0.conv2.weight")
    if name is None or stem is None or stem.shape != (64, 3, 7, 7) or inner is None or inner.shape != (64, 64, 3, 3):
        return None
    return name


def _detect(tensors: Tensors, layout: str) -> Found | None:
    name = resnet_name(tensors)
    return None if name is None else Found(layout, "backbone", "deeplabv3plus", name)


def _assign(backbone: keras.Model, tensors: Tensors) -> list[Assignment]:
    return layer_assignments(backbone, module_name)


def _layout(name: str) -> Layout:
    return Layout(name, partial(_detect, layout=name), _assign, excused={r"fc\..*": "ImageNet classifier"})


RESNET = _layout("torchvision or timm ResNet")
KERAS_HUB_RESNET = _layout("Keras Hub ResNet")  # under torchvision's names, see keras_hub.py
