"""What does it cost a training to write its state, beside writing it with np.savez between two steps?

    python benchmarks/state.py [--backend jax|tensorflow] [--size 192x320] [--batch-size 4] [--every 10] [--folder DIR]

The step is the training's own: DeepLabV3+ ResNet-18, forward, backward and AdamW, whose state has 135 MB. A round is
`every` steps; after its first, the state is saved as the training does it, so that the writing is done beside the
steps behind it. "ms a step" is the round over its steps, "save()" how long the call that saves blocks, with the copy of
the state in it, "disk" how long until the state was safely there. The ratio is the time of a step to that without
saving, the median of rounds that take turns. A training saves every 100 steps unless its recipe says otherwise.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.backend import use_backend

PLAIN, OURS, PEER = "no saving", "StateStore", "np.savez, fsync"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="jax", choices=("jax", "tensorflow"))
    parser.add_argument("--size", default="192x320", help="HxW")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--every", type=int, default=10, help="steps of a round, one of which is followed by a save")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", help="where to write; the system's temporary folder if missing")
    options = parser.parse_args()
    use_backend(options.backend)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Print the table."""
    from desertseg.engine.state import StateStore

    program, batch = build(options)
    store = StateStore(folder / "state")
    rows: dict[str, Callable[[int], object]] = {
        PLAIN: lambda number: None,
        OURS: lambda number: store.save(number, program.state(), {}, block=True),
        PEER: lambda number: save_plainly(folder / "state.npz", program.state()),
    }
    steps: dict[str, list[float]] = {name: [] for name in rows}
    calls: dict[str, list[float]] = {name: [] for name in rows}
    disk: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(options.rounds + 1):  # the first compiles and does not count
        for name, save in rows.items():
            whole, call = run_round(program, batch, save, options.every)
            store.wait()
            if turn:
                steps[name].append(whole / options.every)
                calls[name].append(call)
                disk[name].append(store.seconds if name == OURS else call)
    size = sum(np.asarray(array).nbytes for array in program.state().values()) / 1e6
    print(
        f"DeepLabV3+ ResNet-18, {options.size}, batch {options.batch_size}, {options.backend}; state of {size:.0f} MB"
    )
    print(f"{'':16} {'ms a step':>10} {'save() ms':>10} {'disk ms':>9} {'ratio':>7} [range over rounds]")
    for name in rows:
        ratios = [a / b for a, b in zip(steps[name], steps[PLAIN], strict=True)]
        values = "".join(
            f"{statistics.median(v[name]) * 1e3:{w}.1f}" for v, w in ((steps, 11), (calls, 11), (disk, 10))
        )
        print(f"{name:16}{values} {statistics.median(ratios):7.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")


def run_round(program: Any, batch: tuple, save: Callable[[int], object], count: int) -> tuple[float, float]:
    """Return the seconds of `count` steps with a save behind the first, and those of the save."""
    start = time.perf_counter()
    program.wait(program.step(batch, 1e-4, 1))
    before = time.perf_counter()
    save(1)
    call = time.perf_counter() - before
    for number in range(2, count + 1):
        program.wait(program.step(batch, 1e-4, number))
    return time.perf_counter() - start, call


def build(options: argparse.Namespace) -> tuple[Any, tuple]:
    """Return the program of a training and a batch for it."""
    from desertseg.engine.optimizers import build_optimizer
    from desertseg.engine.program import Program
    from desertseg.engine.recipe import OptimizerRecipe
    from desertseg.losses import FocalDice
    from desertseg.models import build_segmenter

    height, width = (int(v) for v in options.size.split("x"))
    segmenter = build_segmenter("deeplabv3plus", "resnet18", size=(height, width))
    program = Program(segmenter, FocalDice(), build_optimizer(OptimizerRecipe(), segmenter), (height, width))
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (options.batch_size, height, width, 3), np.uint8)
    labels = random.integers(0, 10, (options.batch_size, height, width), np.uint8)
    affine = np.tile(np.eye(2, 3, dtype=np.float32), (options.batch_size, 1, 1))
    return program, ({"image": images, "affine": affine}, labels)


def save_plainly(path: Path, arrays: dict[str, Any]) -> None:
    """The peer: what a training loop would do without thinking of it."""
    with path.open("wb") as file:
        np.savez(file, **{name.replace("/", "."): np.asarray(array) for name, array in arrays.items()})
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
