"""The names of the zoo: architectures, backbones, and the networks that are made of one of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import keras

from desertseg.errors import suggest
from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus
from desertseg.models.errors import ModelError
from desertseg.models.network import Network
from desertseg.models.resnet import ResNet


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
        open_blocks: trained blocks of the backbone; None trains all of it.
        options: of the network and the backbone.
        source: whose system it is, "" for a plain combination.
    """

    architecture: str
    backbone: str
    labels: str = "falcon"
    size: tuple[int, int] | None = None
    output_stride: int | None = None
    open_blocks: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    source: str = ""


ARCHITECTURES: dict[str, Architecture] = {
    "deeplabv3": Architecture(DeepLabV3, "resnet50", asks={ResNet: {"output_stride": 16}}),
    "deeplabv3plus": Architecture(DeepLabV3Plus, "resnet18", asks={ResNet: {"output_stride": 16}}),
}

BACKBONES: dict[str, tuple[type[Network], dict[str, Any]]] = {
    "resnet18": (ResNet, {"blocks": (2, 2, 2, 2), "bottleneck": False}),
    "resnet34": (ResNet, {"blocks": (3, 4, 6, 3), "bottleneck": False}),
    "resnet50": (ResNet, {"blocks": (3, 4, 6, 3), "bottleneck": True}),
    "resnet101": (ResNet, {"blocks": (3, 4, 23, 3), "bottleneck": True}),
    "resnet152": (ResNet, {"blocks": (3, 8, 36, 3), "bottleneck": True}),
}

NETWORKS: dict[str, NetworkSpec] = {
    f"{architecture}_{backbone}": NetworkSpec(architecture, backbone)
    for architecture in ("deeplabv3", "deeplabv3plus")
    for backbone in BACKBONES
    if backbone.startswith("resnet")
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
        if type(backbone) is kind and all(_plain(getattr(backbone, k)) == _plain(v) for k, v in options.items()):
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


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
