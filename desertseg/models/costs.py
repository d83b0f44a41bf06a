"""What the networks of the zoo cost: parameters and operations, as benchmarks/costs.py wrote them down.

Building a network to count it takes a second for the smallest and gigabytes for the largest, so the list is read from
costs.json; the suite counts the small ones anew, its slow part all of them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

from desertseg.models.catalogue import NETWORKS
from desertseg.models.features import size_multiple_of
from desertseg.models.flops import count_flops
from desertseg.models.segmenter import Segmenter

SIZE = (512, 896)


@dataclass(frozen=True)
class Cost:
    """Parameters of the whole and of its backbone, and the operations of one forward pass at `SIZE`, 10 classes.

    One multiply-add is two operations, see `count_flops`. Where 14 must divide the size, the network pads the picture.
    """

    parameters: int
    backbone_parameters: int
    flops: int


def measure_cost(segmenter: Segmenter, size: tuple[int, int] = SIZE) -> Cost:
    """Return the cost of a segmenter that is built; JAX only."""
    network = segmenter.network
    multiple = size_multiple_of(network.backbone)
    padded = (-(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple)
    return Cost(network.count_params(), network.backbone.count_params(), count_flops(network, padded))


@cache
def known_costs() -> dict[str, Cost]:
    """Return name -> cost of every network of the zoo."""
    table = json.loads(files("desertseg.models").joinpath("costs.json").read_text(encoding="utf-8"))
    return {name: Cost(**table[name]) for name in NETWORKS}


def costs_to_json(costs: dict[str, Cost]) -> str:
    """Return the text of costs.json."""
    rows = (f"{json.dumps(name)}: {json.dumps(asdict(cost))}" for name, cost in costs.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"
