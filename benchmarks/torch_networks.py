"""PyTorch's counterparts of our networks: from images (B, 3, H, W) to logits (B, 10, H, W), random weights."""

from __future__ import annotations

import importlib
from typing import Any

from steps import NUM_CLASSES

_LIBRARY: list[Any] = []  # a declaration of operators lives as long as its object


def build_deeplab(backbone: str) -> Any:
    """Return segmentation_models.pytorch's DeepLabV3+ changed to the decoder of our `DeepLabV3Plus`."""
    import segmentation_models_pytorch as smp
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import SeparableConv2d
    from torch import nn

    model = smp.DeepLabV3Plus(
        backbone, encoder_weights=None, classes=NUM_CLASSES, decoder_atrous_rates=(6, 12, 18), decoder_aspp_dropout=0.0
    )
    decoder = model.decoder
    decoder.aspp = decoder.aspp[0]
    decoder.up = nn.Upsample(scale_factor=4, mode="bilinear")
    second = (SeparableConv2d(256, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU())
    decoder.block2 = nn.Sequential(*decoder.block2, *second)
    model.segmentation_head[1] = nn.Upsample(scale_factor=4, mode="bilinear")
    return model


def import_modules(*modules: str) -> None:
    """Import what a builder below needs, before its memory is measured."""
    declare_torchvision_operators()
    for module in modules:
        importlib.import_module(module)


def declare_torchvision_operators() -> None:
    """Declare two operators without which torchvision does not import on a CPU build of PyTorch."""
    import torch

    try:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        return  # a torchvision with its own operators was imported before
    _LIBRARY.append(library)
