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


def count_torch_flops(model: Any, size: tuple[int, int]) -> int:
    """Return the operations of one image's forward pass, two for each multiply-add, as PyTorch counts them."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):  # the CPU's fused attention goes uncounted
        model.eval()(torch.zeros(1, 3, *size))
    return counter.get_total_flops()


def freeze(*modules: Any, stateless: bool = False) -> None:
    """Close modules: no gradients, and normalisation stays in inference mode.

    Args:
        modules: to close.
        stateless: nothing before them is trained, so that their forward pass records nothing at all.
    """
    import torch

    for module in modules:
        module.eval().requires_grad_(False)
        module.train = lambda mode=True, module=module: module
        for name in ("forward", "forward_features") if stateless else ():
            if hasattr(module, name):
                setattr(module, name, torch.no_grad()(getattr(module, name)))


def build_deeplab_v3(backbone: str) -> Any:
    """Return torchvision's DeepLabV3, whose output stride is 8."""
    from torchvision.models import segmentation

    model = getattr(segmentation, f"deeplabv3_{backbone}")(
        weights=None, weights_backbone=None, num_classes=NUM_CLASSES, aux_loss=False
    )
    return _select(model, lambda outputs, size: outputs["out"])


def build_lraspp() -> Any:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    model = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=NUM_CLASSES)
    return _select(model, lambda outputs, size: outputs["out"])


def build_segformer(index: int) -> Any:
    """Return Hugging Face's SegFormer-B{index}, its logits upsampled, without dropout."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    from desertseg.models.catalogue import BACKBONES

    options = BACKBONES[f"mit_b{index}"][1]
    config = SegformerConfig(
        num_labels=NUM_CLASSES,
        hidden_sizes=list(options["widths"]),
        depths=list(options["depths"]),
        decoder_hidden_size=256 if index < 2 else 768,
        drop_path_rate=0.0,
        classifier_dropout_prob=0.0,
    )
    return _select(SegformerForSemanticSegmentation(config), lambda outputs, size: _resize(outputs.logits, size))


def build_dinov2(name: str, head: str) -> Any:
    """Return timm's DINOv2 under a linear head or the ConvNeXt-style one of the organiser's starter code."""
    import timm
    from torch import nn

    backbone = timm.create_model(name, pretrained=False, dynamic_img_size=True)
    width = backbone.num_features
    layers: list[Any] = []
    if head == "convnext":
        layers = [nn.Conv2d(width, 128, 7, padding=3), nn.GELU(), nn.Conv2d(128, 128, 7, padding=3, groups=128)]
        layers += [nn.GELU(), nn.Conv2d(128, 128, 1), nn.GELU()]
        width = 128

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.head = nn.Sequential(*layers, nn.Conv2d(width, NUM_CLASSES, 1))

        def forward(self, images: Any) -> Any:
            height, width = (side // 14 for side in images.shape[2:])
            tokens = self.backbone.forward_features(images)[:, backbone.num_prefix_tokens :]
            grid = tokens.transpose(1, 2).unflatten(2, (height, width))
            return _resize(self.head(grid), images.shape[2:])

    return Network()


def build_upernet() -> Any:
    """Return Hugging Face's UPerNet head on timm's ResNet-50."""
    import timm
    from torch import nn
    from transformers import UperNetConfig
    from transformers.models.upernet.modeling_upernet import UperNetHead

    backbone = timm.create_model("resnet50", pretrained=False, features_only=True, out_indices=(1, 2, 3, 4))
    config = UperNetConfig(hidden_size=512, num_labels=NUM_CLASSES, pool_scales=[1, 2, 3, 6])
    head = UperNetHead(config, backbone.feature_info.channels())
    return _select(nn.Sequential(backbone, head), lambda outputs, size: _resize(outputs, size))


def _resize(logits: Any, size: Any) -> Any:
    from torch.nn.functional import interpolate

    return interpolate(logits, tuple(size), mode="bilinear", align_corners=False)


def _select(model: Any, finish: Any) -> Any:
    """Return a module whose output is finish(the model's output, (height, width))."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, images: Any) -> Any:
            return finish(self.inner(images), images.shape[2:])

    return Network()
