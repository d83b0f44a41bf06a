"""How many parameters and operations has each network of the zoo? Writes desertseg/models/costs.json.

KERAS_BACKEND=jax python benchmarks/costs.py            # all of them: 10 GB for the largest
KERAS_BACKEND=jax python benchmarks/costs.py --check    # only say what differs from the file
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import desertseg.models
from desertseg.models.catalogue import NETWORKS
from desertseg.models.costs import costs_to_json, known_costs, measure_cost
from desertseg.models.zoo import build_segmenter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    costs = {}
    for name in NETWORKS:
        costs[name] = measure_cost(build_segmenter(name, labels="falcon"))
        gc.collect()
        print(f"{name:32} {costs[name].parameters / 1e6:9.2f} M  {costs[name].flops / 1e9:9.1f} GFLOPs", flush=True)
        if arguments.check and costs[name] != known_costs()[name]:
            raise SystemExit(f"{name}: costs.json says {known_costs()[name]}")
    if not arguments.check:
        path = Path(desertseg.models.__file__).parent / "costs.json"
        path.write_text(costs_to_json(costs), encoding="utf-8")
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
