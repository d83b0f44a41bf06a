"""torchvision's MobileNetV3-Large, alone and under LR-ASPP."""

from __future__ import annotations

import keras

from desertseg.models.errors import ModelError
from desertseg.models.lraspp import LRASPP
from desertseg.models.mobilenet import block_names
from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors, layer_assignments, weighted_layers

_HEAD = {
    "project_conv": "classifier.cbr.0",
    "project_norm": "classifier.cbr.1",
    "gate_conv": "classifier.scale.1",
    "low_classifier": "classifier.low_classifier",
    "high_classifier": "classifier.high_classifier",
}
_ENDS = {"stem_conv": "0.0", "stem_norm": "0.1", "last_conv": "16.0", "last_norm": "16.1"}
_LOW = "stage2_block1"
_PLACES = ("expand", "depthwise", "squeeze", "project")


def _module_names(network: keras.Model, prefix: str) -> dict[str, str]:
    """Return our layer of a MobileNetV3 -> torchvision's module; its numbers count what a block really has."""
    layers = {layer.name for layer in weighted_layers(network)}
    names = {layer: prefix + module for layer, module in _ENDS.items() if layer in layers}
    for index, block in enumerate(block_names(), 1):
        present = [p for p in _PLACES if {f"{block}_{p}_conv", f"{block}_{p}"} & layers]
        for place, name in enumerate(present):
            module = f"{prefix}{index}.block.{place}"
            if name == "squeeze":
                names |= {f"{block}_squeeze_conv": f"{module}.fc1", f"{block}_excite_conv": f"{module}.fc2"}
                continue
            convolution = f"{block}_{name}" if name == "depthwise" else f"{block}_{name}_conv"
            names |= {convolution: f"{module}.0", f"{block}_{name}_norm": f"{module}.1"}
    return names


def _is_large(tensors: Tensors, prefix: str) -> bool:
    last, squeeze = tensors.get(f"{prefix}16.0.weight"), tensors.get(f"{prefix}4.block.2.fc1.weight")
    return last is not None and last.shape == (960, 160, 1, 1) and squeeze is not None and squeeze.shape[0] == 24


def _detect_backbone(tensors: Tensors) -> Found | None:
    if not _is_large(tensors, "features."):
        return None
    return Found(MOBILENETV3.name, "backbone", "lraspp", "mobilenetv3_large")


def _assign_backbone(backbone: keras.Model, tensors: Tensors) -> list[Assignment]:
    # Taken out of a segmentation network, the backbone's names begin with the number.
    prefix = "" if "16.0.weight" in tensors else "features."
    return layer_assignments(backbone, _module_names(backbone, prefix).get)


def _detect_lraspp(tensors: Tensors) -> Found | None:
    head = tensors.get("classifier.low_classifier.weight")
    if head is None or not _is_large(tensors, "backbone."):
        return None
    return Found(TORCHVISION_LRASPP.name, "network", "lraspp", "mobilenetv3_large", {}, head.shape[0])


def _assign_lraspp(network: keras.Model, tensors: Tensors) -> list[Assignment]:
    if network.low != _LOW:  # the weights would fit, and compute something else
        raise ModelError(
            f"torchvision's LR-ASPP scores feature '{_LOW}', this network '{network.low}'; build its backbone with "
            f"features=('{_LOW}', 'stage4')"
        )
    names = _module_names(network, "backbone.") | _HEAD
    return layer_assignments(network, names.get)


MOBILENETV3 = Layout(
    "torchvision MobileNetV3",
    _detect_backbone,
    _assign_backbone,
    excused={r"classifier\.\d\..*": "ImageNet classifier"},
)
TORCHVISION_LRASPP = Layout(
    "torchvision LR-ASPP",
    _detect_lraspp,
    _assign_lraspp,
    network=LRASPP,
    backbone=("backbone.", MOBILENETV3),
)
