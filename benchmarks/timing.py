"""What several benchmarks share: rows timed in turns, and the options of those that take one batch."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable


def time_in_turns(rows: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return each row's median time in seconds; rows alternate, after one turn that compiles and does not count."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for repeat in range(repeats + 1):
        for name, row in rows.items():
            start = time.perf_counter()
            row()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def read_options(description: str | None, **sizes: str) -> argparse.Namespace:
    """Return --backend, --batch-size, --repeats and the named sizes ("HxW" by default) as (height, width)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="jax", choices=("jax", "tensorflow"))
    for name, default in sizes.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, help="HxW")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    for name in sizes:
        setattr(options, name, tuple(int(v) for v in getattr(options, name).split("x")))
    return options
