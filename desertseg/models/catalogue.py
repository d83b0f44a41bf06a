"""The names of the zoo: architectures, backbones, and the networks that are made of one of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import keras

from desertseg.errors import suggest
from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus
from desertseg.models.dinov2 import DINOv2
from desertseg.models.errors import ModelError
from desertseg.models.lraspp import LRASPP
from desertseg.models.mit import MiT
from desertseg.models.mobilenet import MobileNetV3
from desertseg.models.network import Network
from desertseg.models.resnet import ResNet
from desertseg.models.segformer import SegFormer
from desertseg.models.token_heads import ConvNeXtHead, LinearHead
from desertseg.models.upernet import DilatedUPerNet, UPerNet


@dataclass(frozen=True)
class Architecture:
    """A network class, its usual backbone, and options that it asks of a backbone by its class."""

    network: type[Network]
    backbone: str
    asks: dict[type[Network], dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkSpec:
    """A network of the zoo by name: what `build_segmenter` is given unless the caller says otherwise.

    Attributes:
        architecture, backbone: names in the zoo.
        labels: label map.
        size: training size (height, width), or None.
        output_stride: None is the backbone's own.
        options: of the network and the backbone.
        source: "published desert system" for one that is rebuilt here, "" for a plain combination.
    """

    architecture: str
    backbone: str
    labels: str = "falcon"
    size: tuple[int, int] | None = None
    output_stride: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    source: str = ""


ARCHITECTURES: dict[str, Architecture] = {
    "deeplabv3": Architecture(DeepLabV3, "resnet50", asks={ResNet: {"output_stride": 16}}),
    "deeplabv3plus": Architecture(DeepLabV3Plus, "resnet18", asks={ResNet: {"output_stride": 16}}),
    "linear": Architecture(LinearHead, "dinov2_vits14"),
    "convnext_head": Architecture(ConvNeXtHead, "dinov2_vits14"),
    "upernet": Architecture(UPerNet, "dinov2_vits14", asks={DINOv2: {"features": 4}}),
    "dilated_upernet": Architecture(DilatedUPerNet, "dinov2_vitb14_reg"),
    "segformer": Architecture(SegFormer, "mit_b0"),
    "lraspp": Architecture(LRASPP, "mobilenetv3_large", asks={MobileNetV3: {"features": ("stage2_block1", "stage4")}}),
}

_RESNETS: dict[str, dict[str, Any]] = {
    "resnet18": {"blocks": (2, 2, 2, 2), "bottleneck": False},
    "resnet34": {"blocks": (3, 4, 6, 3), "bottleneck": False},
    "resnet50": {"blocks": (3, 4, 6, 3), "bottleneck": True},
    "resnet101": {"blocks": (3, 4, 23, 3), "bottleneck": True},
    "resnet152": {"blocks": (3, 8, 36, 3), "bottleneck": True},
}
_DINOV2: dict[str, dict[str, Any]] = {
    "s": {"width": 384, "depth": 12, "num_heads": 6, "swiglu": False},
    "b": {"width": 768, "depth": 12, "num_heads": 12, "swiglu": False},
    "l": {"width": 1024, "depth": 24, "num_heads": 16, "swiglu": False},
    "g": {"width": 1536, "depth": 40, "num_heads": 24, "swiglu": True},
}
_MIT_DEPTHS = ((2, 2, 2, 2), (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 18, 3), (3, 8, 27, 3), (3, 6, 40, 3))

BACKBONES: dict[str, tuple[type[Network], dict[str, Any]]] = {
    **{name: (ResNet, options) for name, options in _RESNETS.items()},
    **{
        f"dinov2_vit{size}14{suffix}": (DINOv2, {**options, "num_registers": registers})
        for size, options in _DINOV2.items()
        for suffix, registers in (("", 0), ("_reg", 4))
    },
    **{
        f"mit_b{index}": (MiT, {"widths": (64, 128, 320, 512) if index else (32, 64, 160, 256), "depths": depths})
        for index, depths in enumerate(_MIT_DEPTHS)
    },
    "mobilenetv3_large": (MobileNetV3, {"width": 1.0}),
}

# Backbones that are made to be used as they are: frozen unless the caller says otherwise.
FROZEN: tuple[type[Network], ...] = (DINOv2,)

# What leaves no trace in a checkpoint, as the two codes that people have checkpoints of build it.
_TORCHVISION: dict[str, Any] = {"atrous_rates": (12, 24, 36), "dropout": 0.5}
_SMP: dict[str, Any] = {
    "atrous_rates": (12, 24, 36),
    "dropout": 0.5,
    "decoder_convolutions": 1,
    "aspp_refinement": True,
    "align_corners": True,
    "dilate_first_block": True,
}
_SYSTEM = "published desert system"
_R50 = NetworkSpec("deeplabv3", "resnet50", size=(256, 256), output_stride=8, options=_TORCHVISION, source=_SYSTEM)
_STARTER = NetworkSpec("convnext_head", "dinov2_vits14", labels="falcon_starter", size=(266, 476), source=_SYSTEM)

NETWORKS: dict[str, NetworkSpec] = {
    **{f"{a}_{b}": NetworkSpec(a, b) for a in ("deeplabv3", "deeplabv3plus") for b in _RESNETS},
    **{
        f"{a}_{b}": NetworkSpec(a, b)
        for a in ("linear", "convnext_head", "upernet")
        for b in BACKBONES
        if b.startswith("dinov2")
    },
    **{f"segformer_b{index}": NetworkSpec("segformer", f"mit_b{index}") for index in range(6)},
    "lraspp_mobilenetv3_large": NetworkSpec("lraspp", "mobilenetv3_large"),
    "deeplabv3_r50_256": _R50,
    "deeplabv3_r50_steplr": _R50,
    "dinov2_phase1": _STARTER,
    "dinov2_phase2": _STARTER,
    "dinov2_phase3": NetworkSpec(
        "dilated_upernet",
        "dinov2_vitb14_reg",
        labels="falcon_starter",
        size=(364, 644),
        options={"dropout": 0.1},
        source=_SYSTEM,
    ),
    "codecrunch_r101": NetworkSpec(
        "deeplabv3plus",
        "resnet101",
        labels="falcon7",
        size=(512, 896),
        output_stride=16,
        options=_SMP,
        source=_SYSTEM,
    ),
    "dinov2_vits_convnext": _STARTER,
}


def find_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known.

    Raises:
        ModelError: it is not; the message has the nearest and all of them.
    """
    known = list(known)
    if name in known:
        return name
    raise ModelError(f"no {kind} '{name}'{suggest(name, known)}; there are {', '.join(known)}")


def backbone_name(backbone: keras.Model) -> str | None:
    """Return the zoo's name of a backbone, None for one that is not as the zoo builds it."""
    for name, (kind, options) in BACKBONES.items():
        if type(backbone) is kind and all(plain(getattr(backbone, k)) == plain(v) for k, v in options.items()):
            return name
    return None


def architecture_name(network: keras.Model) -> str | None:
    """Return the zoo's name of a network's architecture, None for a backbone alone or a model of the user's."""
    return next((name for name, a in ARCHITECTURES.items() if type(network) is a.network), None)


def describe_network(network: keras.Model) -> str:
    """Return "deeplabv3plus on resnet50", as far as the zoo knows the parts."""
    backbone = getattr(network, "backbone", None)
    if backbone is None:
        return backbone_name(network) or f"{type(network).__name__} '{network.name}'"
    architecture = architecture_name(network) or type(network).__name__
    return f"{architecture} on {backbone_name(backbone) or backbone.name}"


def plain(value: Any) -> Any:
    """Return an option as it compares: a file of ours gives a list where the constructor was given a tuple."""
    return tuple(value) if isinstance(value, list) else value
