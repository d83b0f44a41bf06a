"""torchvision's DeepLabV3 and segmentation_models.pytorch's DeepLabV3+, both on a ResNet."""

from __future__ import annotations

import keras

from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus
from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors, layer_assignments
from desertseg.models.weights.resnet import RESNET, module_name, resnet_name


def _aspp_names(prefix: str, separable: bool) -> dict[str, str]:
    """Return our layer of the ASPP -> their module."""
    names = {
        "aspp_pointwise_conv": "convs.0.0",
        "aspp_pointwise_norm": "convs.0.1",
        "aspp_pooling_conv": "convs.4.1",
        "aspp_pooling_norm": "convs.4.2",
        "aspp_project_conv": "project.0",
        "aspp_project_norm": "project.1",
    }
    for branch in (1, 2, 3):
        names[f"aspp_atrous{branch}_depthwise"] = f"convs.{branch}.0.0"
        names[f"aspp_atrous{branch}_conv"] = f"convs.{branch}.0.1" if separable else f"convs.{branch}.0"
        names[f"aspp_atrous{branch}_norm"] = f"convs.{branch}.1"
    return {layer: prefix + module for layer, module in names.items()}


_TORCHVISION = _aspp_names("classifier.0.", separable=False) | {
    "decoder1_conv": "classifier.1",
    "decoder1_norm": "classifier.2",
    "classifier": "classifier.4",
    "auxiliary_conv": "aux_classifier.0",
    "auxiliary_norm": "aux_classifier.1",
    "auxiliary_classifier": "aux_classifier.4",
}

_SMP = _aspp_names("decoder.aspp.0.", separable=True) | {
    "aspp_refine_depthwise": "decoder.aspp.1.0",
    "aspp_refine_conv": "decoder.aspp.1.1",
    "aspp_refine_norm": "decoder.aspp.2",
    "low_level_conv": "decoder.block1.0",
    "low_level_norm": "decoder.block1.1",
    "decoder1_depthwise": "decoder.block2.0.0",
    "decoder1_conv": "decoder.block2.0.1",
    "decoder1_norm": "decoder.block2.1",
    "classifier": "segmentation_head.0",
}


def _detect_torchvision(tensors: Tensors) -> Found | None:
    name = resnet_name(tensors, "backbone.")
    if name is None or "classifier.4.weight" not in tensors or "classifier.0.project.0.weight" not in tensors:
        return None
    # Dilation leaves no trace in the tensors; torchvision's networks all have output stride 8 and rates 12, 24, 36.
    options = {"output_stride": 8, "atrous_rates": (12, 24, 36)}
    classes = tensors["classifier.4.weight"].shape[0]
    return Found(TORCHVISION_DEEPLABV3.name, "network", "deeplabv3", name, options, classes)


def _assign_torchvision(network: keras.Model, tensors: Tensors) -> list[Assignment]:
    return layer_assignments(network, lambda layer: _TORCHVISION.get(layer) or _under("backbone.", layer))


def _detect_smp(tensors: Tensors) -> Found | None:
    name = resnet_name(tensors, "encoder.")
    head = tensors.get("segmentation_head.0.weight")
    if name is None or head is None or "decoder.block2.0.1.weight" not in tensors:
        return None
    # The stride and the rates are those of its constructor's defaults: they leave no trace in the tensors either.
    options = {
        "output_stride": 16,
        "atrous_rates": (12, 24, 36),
        "aspp_channels": tensors["decoder.aspp.0.project.0.weight"].shape[0],
        "decoder_channels": tensors["decoder.block2.0.1.weight"].shape[0],
        "low_level_channels": tensors["decoder.block1.0.weight"].shape[0],
        "decoder_convolutions": 1,
        "separable": True,
        "aspp_refinement": True,
        "align_corners": True,
        "dilate_first_block": True,
    }
    return Found(SMP_DEEPLABV3PLUS.name, "network", "deeplabv3plus", name, options, head.shape[0])


def _assign_smp(network: keras.Model, tensors: Tensors) -> list[Assignment]:
    return layer_assignments(network, lambda layer: _SMP.get(layer) or _under("encoder.", layer))


def _under(prefix: str, layer: str) -> str | None:
    module = module_name(layer)
    return module and prefix + module


TORCHVISION_DEEPLABV3 = Layout(
    "torchvision DeepLabV3",
    _detect_torchvision,
    _assign_torchvision,
    excused={r"aux_classifier\..*": "auxiliary head, which the network does not have"},
    network=DeepLabV3,
    backbone=("backbone.", RESNET),
)
SMP_DEEPLABV3PLUS = Layout(
    "segmentation_models.pytorch DeepLabV3+",
    _detect_smp,
    _assign_smp,
    network=DeepLabV3Plus,
    backbone=("encoder.", RESNET),
)
