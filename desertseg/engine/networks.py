"""What networks there are: the list, and one in detail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from desertseg.models import build_segmenter
from desertseg.models.catalogue import NETWORKS
from desertseg.models.costs import Cost, known_costs, measure_cost
from desertseg.models.features import feature_strides, size_multiple_of
from desertseg.models.weights import Preset, presets_for
from desertseg.models.zoo import network_spec, options_of


@dataclass(frozen=True)
class NetworkRow:
    """A network of the zoo in the list. `weights`: names of published ones; `source`: whose system it is, or ""."""

    name: str
    architecture: str
    backbone: str
    cost: Cost
    weights: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class NetworkDetails:
    """A network that was built and counted at `size`, with all that can be chosen about it."""

    row: NetworkRow
    size: tuple[int, int]
    size_multiple: int
    strides: dict[str, int]
    trained_parameters: int
    labels: str
    presets: dict[str, Preset]
    settings: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def list_networks() -> list[NetworkRow]:
    """Return every network of the zoo with what it costs at 512x896."""
    return [_row(name, known_costs()[name]) for name in NETWORKS]


def inspect_network(name: str, backbone: str | None = None, size: tuple[int, int] | None = None) -> NetworkDetails:
    """Return a network in detail, after building it; JAX only.

    Args:
        name: of an architecture or a network of the zoo.
        backbone: another than its usual one.
        size: (height, width) at which operations are counted; None is its training size, or 512x896.

    Raises:
        UserError: an unknown name.
    """
    spec = network_spec(name)
    segmenter = build_segmenter(name, backbone)
    size = size or spec.size or (512, 896)
    backbone = backbone or spec.backbone
    network = segmenter.network
    row = _row(name, measure_cost(segmenter, size), backbone)
    trained = sum(int(v.value.size) for v in segmenter.trainable_variables)
    return NetworkDetails(
        row,
        size,
        size_multiple_of(network.backbone),
        feature_strides(network.backbone),
        trained,
        segmenter.labels.name,
        presets_for(spec.architecture, backbone),
        dict(spec.options),
        tuple(sorted(options_of(spec.architecture, backbone))),
    )


def _row(name: str, cost: Cost, backbone: str | None = None) -> NetworkRow:
    spec = network_spec(name)
    backbone = backbone or spec.backbone
    weights = tuple(presets_for(spec.architecture, backbone))
    return NetworkRow(name, spec.architecture, backbone, cost, weights, spec.source)
