"""From what the user named to tensors: a file, a folder, published weights, a run of our own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.labels import LabelMap
from desertseg.models.catalogue import ARCHITECTURES, BACKBONES, architecture_name, backbone_name
from desertseg.models.errors import ModelError
from desertseg.models.shipped import find_checkpoint
from desertseg.models.weights.files import read_tensors
from desertseg.models.weights.keras_files import own_assignments, read_keras
from desertseg.models.weights.keras_hub import is_keras_hub, read_keras_hub
from desertseg.models.weights.layout import Found, Layout, Tensors
from desertseg.models.weights.presets import PRESETS, fetch, find_preset
from desertseg.models.weights.resnet import KERAS_HUB_RESNET

Source = str | Path | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Opened:
    """A checkpoint in memory.

    Attributes:
        tensors: by name.
        name: for messages.
        layout: where the file's kind tells it.
        licence: of published weights.
        labels: of the classifier, where the file says which.
    """

    tensors: Tensors
    name: str
    layout: Layout | None = None
    licence: str = ""
    labels: LabelMap | None = None


def is_preset(source: object) -> bool:
    """Return whether `source` names published weights, such as "imagenet", rather than a file or a folder."""
    return isinstance(source, str) and source in {preset.name for preset in PRESETS} | {"imagenet"}


def is_keras_weights(source: object) -> bool:
    """Return whether `source` is what Keras' `save_weights` wrote: arrays without the network that they are of."""
    return isinstance(source, (str, Path)) and str(source).endswith(".h5")


def open_source(source: Source, network: keras.Model | None) -> Opened:
    """Return a checkpoint's tensors.

    Args:
        source: as in `load_weights_from`.
        network: for which published weights are looked up by name; None where none is built yet.

    Raises:
        ModelError: nothing that can be read, or nothing that says which network it is of.
    """
    if isinstance(source, Mapping):
        return Opened({name: np.asarray(value) for name, value in source.items()}, "the given tensors")
    if is_preset(source):
        return _open_preset(str(source), network)
    if is_keras_hub(source):
        return Opened(read_keras_hub(source), str(source), KERAS_HUB_RESNET)
    path = find_checkpoint(source)
    if path.suffix == ".keras":
        return _open_own(path, str(source))
    if is_keras_weights(source):
        raise ModelError(
            f"{source} does not say which network it is of; give --model and, if it is not the usual one, --backbone; "
            "or a run's best.keras"
        )
    return Opened(read_tensors(source), str(source))


def _open_preset(name: str, network: keras.Model | None) -> Opened:
    if network is None:
        raise ModelError(f"'{name}' names weights of many networks; say of which with a model and a backbone")
    backbone = backbone_name(getattr(network, "backbone", network))
    if backbone is None:
        raise ModelError(f"no weights '{name}' are published for a backbone of your own; give a file")
    preset = find_preset(name, model=architecture_name(network), backbone=backbone)
    return Opened(read_tensors(fetch(preset)), f"{name} ({preset.file})", licence=preset.licence)


def _open_own(path: Path, name: str) -> Opened:
    """Return a file that we wrote, with a layout made for the network in it."""
    saved = read_keras(path)
    network = saved.network
    whole = hasattr(network, "backbone")
    found = Found(
        "desertseg",
        "network" if whole else "backbone",
        architecture_name(network) or "deeplabv3plus",
        _nearest_name(getattr(network, "backbone", network)),
        _arguments(network),
        saved.num_classes,
    )
    inner = Layout("desertseg", lambda tensors: None, own_assignments)
    layout = Layout(
        "desertseg",
        lambda tensors: found,
        own_assignments,
        network=type(network) if whole else None,
        backbone=("backbone/", inner) if whole else None,
    )
    return Opened(saved.arrays, name, layout, labels=saved.labels)


def _nearest_name(backbone: keras.Model) -> str:
    """Return the zoo's name of a backbone, or one of its class, which `_arguments` then makes the same."""
    name = backbone_name(backbone) or next((n for n, (kind, _) in BACKBONES.items() if type(backbone) is kind), None)
    if name is None:
        raise ModelError(
            f"the file's backbone '{backbone.name}' is one of your own; build the network around it and call "
            "load_weights_from"
        )
    return name


def _arguments(network: keras.Model) -> dict[str, Any]:
    """Return the constructor's arguments of a network and its backbone that `build_segmenter` takes as options."""
    known = {a.network for a in ARCHITECTURES.values()} | {kind for kind, _ in BACKBONES.values()}
    found: dict[str, Any] = {}
    for part in (network, getattr(network, "backbone", None)):
        if type(part) in known:
            names = [n for n, p in inspect.signature(type(part)).parameters.items() if p.kind is not p.VAR_KEYWORD]
            found |= {n: getattr(part, n) for n in names if n not in ("self", "backbone", "num_classes", "dtype")}
    return {name: value for name, value in found.items() if value is not None}
