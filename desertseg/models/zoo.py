"""Names -> builders: `build_segmenter("deeplabv3plus", "resnet18", "falcon")`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from desertseg.labels import LabelMap, load_labels
from desertseg.models.catalogue import ARCHITECTURES, BACKBONES, FROZEN, NETWORKS, NetworkSpec, find_name
from desertseg.models.errors import ModelError
from desertseg.models.network import Network
from desertseg.models.segmenter import Segmenter
from desertseg.models.weights import load_weights_from


def available_models() -> list[str]:
    """Return the names of architectures; each takes a backbone, or its usual one."""
    return list(ARCHITECTURES)


def available_backbones() -> list[str]:
    """Return the names that `build_segmenter` takes as `backbone`."""
    return list(BACKBONES)


def available_networks() -> list[str]:
    """Return the names of whole networks, architecture and backbone, that `build_segmenter` takes as `model`."""
    return list(NETWORKS)


def build_segmenter(
    model: str = "deeplabv3plus",
    backbone: str | keras.Model | None = None,
    labels: str | LabelMap | None = None,
    size: tuple[int, int] | None = None,
    output_stride: int | None = None,
    *,
    weights: str | Path | None = None,
    open_blocks: int | str = "auto",
    recipe: Mapping[str, Any] | None = None,
    **options: Any,
) -> Segmenter:
    """Return a `Segmenter`; without `weights` with random ones, which `keras.utils.set_random_seed` before it fixes.

    What is None is as the named network has it; an architecture alone has its usual backbone and the labels "falcon".

    Args:
        model: one of `available_models()` or of `available_networks()`.
        backbone: one of `available_backbones()`, or a Keras model of your own with named features (`models.features`).
        labels: `LabelMap`, shipped name or TOML file.
        size: (height, width) to be trained at; kept in the file.
        output_stride: 8, 16 or 32, for the backbones that have a choice.
        weights: as in `load_weights_from`.
        open_blocks: how many of the backbone's last blocks are trained: 0 freezes it, "all" trains it whole; "auto"
            freezes DINOv2 and trains the others.
        recipe: kept in the file.
        **options: of the model (`DeepLabV3Plus`) and the backbone (`ResNet`), e.g. `separable=False`, `width=32`;
            `dtype` goes to both.

    Raises:
        ModelError: an unknown name or option, weights that do not fit; the message names the nearest right one.
    """
    spec = network_spec(model)
    architecture = ARCHITECTURES[spec.architecture]
    labels = load_labels(labels or spec.labels)
    stride = output_stride or spec.output_stride
    if stride is not None:
        options = {"output_stride": stride, **options}
    if isinstance(backbone, keras.Model):
        head_options = _split({**spec.options, **options}, [architecture.network])[0]
    else:
        name = find_name("backbone", backbone or spec.backbone, BACKBONES)
        kind, arguments = BACKBONES[name]
        head_options, backbone_options = _split({**spec.options, **options}, [architecture.network, kind])
        backbone_options = {**architecture.asks.get(kind, {}), **arguments, **backbone_options}
        backbone = kind(name="backbone", **backbone_options)
    network = architecture.network(backbone, labels.num_classes, name="network", **head_options)
    opened = _count_open(open_blocks, backbone)
    segmenter = Segmenter(network, labels, size or spec.size, recipe, open_blocks=opened)
    if weights is not None:
        load_weights_from(segmenter, weights)
    return segmenter


def network_spec(model: str) -> NetworkSpec:
    """Return what a name of an architecture or a network stands for.

    Raises:
        ModelError: it stands for nothing.
    """
    if model in ARCHITECTURES:
        return NetworkSpec(model, ARCHITECTURES[model].backbone)
    find_name("model", model, [*ARCHITECTURES, *NETWORKS])
    return NETWORKS[model]


def _count_open(open_blocks: int | str, backbone: keras.Model) -> int | None:
    if open_blocks == "auto":
        return 0 if isinstance(backbone, FROZEN) else None
    if open_blocks == "all":
        return None
    if isinstance(open_blocks, str):
        raise ModelError(f"open_blocks is '{open_blocks}'; give a number of blocks, 'all' or 'auto'")
    return open_blocks


def options_of(model: str | None = None, backbone: str | None = None) -> set[str]:
    """Return the names of the options that an architecture, a backbone or both of them take."""
    builders = [ARCHITECTURES[model].network] if model else []
    builders += [BACKBONES[find_name("backbone", backbone, BACKBONES)][0]] if backbone else []
    return set().union(*(_options(builder) for builder in builders))


def _split(options: dict[str, Any], builders: list[type[Network]]) -> list[dict[str, Any]]:
    """Return for each builder the options that it takes; an option that two take goes to both.

    Raises:
        ModelError: an option that none takes.
    """
    taken = [_options(builder) for builder in builders]
    for name in options:
        if not any(name in allowed for allowed in taken):
            find_name("option", name, sorted(set().union(*taken)))
    return [{k: v for k, v in options.items() if k in allowed} for allowed in taken]


def _options(builder: type[Network]) -> set[str]:
    parameters = inspect.signature(builder.__init__).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self", "backbone", "num_classes"}
