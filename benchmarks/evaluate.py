"""What does evaluating cost beyond the bare forward pass, which it cannot do without?

    python benchmarks/evaluate.py [--model deeplabv3plus_resnet18] [--size 512x896] [--data DIR] [--frames 32]
                                  [--batch-size 4] [--rounds 5] [--backend jax|tensorflow] [--threads 2]

"forward" is a network's labels at native resolution for images that lie in memory, one batch being given ahead:
network, resizing and argmax, and nothing else. The other rows read every frame and its mask from their files, score
them and find the worst; they are timed from the answer to the first batch, which compiles, until all are counted. Rows
alternate; a ratio is the median of the rounds' own ratios. On a quiet machine believe the wall; on a busy one the time
of the processors, of all threads, tells what evaluating costs where every core is at work. Without --data the frames
are procedural deserts of 540x960.

Measured on two cores that other work shared, 540x960 JPEG frames with 16-bit masks, batch 4, x forward by the wall and
by the processors: DeepLabV3+ ResNet-18 at 512x896, 297 ms a frame on JAX, 1.09 and 1.10; without borders 1.08 and 1.05.
Evaluating takes some 36 ms of a processor a frame, whatever the network: the shipped desert-small at 192x320, 22 ms a
frame, has 1.68 and 2.30 on JAX, and 1.80 and 1.70 on TensorFlow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from desertseg.backend import use_backend
from desertseg.memory import keep_freed_memory

Row = Callable[[], tuple[float, float]]  # seconds a frame: of the wall, of the processors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="jax", choices=("jax", "tensorflow"))
    parser.add_argument("--model", default="deeplabv3plus_resnet18", help="a file or a network of the zoo")
    parser.add_argument("--size", default="512x896", help="HxW that the network sees")
    parser.add_argument("--data", type=Path, help="folder of frames and masks of one size")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "TF_NUM_INTRAOP_THREADS": str(options.threads)}
    use_backend(options.backend)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        if options.data is None:
            from desertseg.data.synthetic import write_dataset

            options.data = Path(folder)
            write_dataset(options.data, train=0, val=options.frames, size=(540, 960), seed=0)
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    from desertseg.data import find_frames, load_evaluation
    from desertseg.engine import load_segmenter
    from desertseg.engine.checkpoint import fitting
    from desertseg.engine.compiled import device_name
    from desertseg.engine.inference import Inference
    from desertseg.models import available_networks, build_segmenter

    size = tuple(int(n) for n in options.size.split("x"))
    model = build_segmenter(options.model) if options.model in available_networks() else load_segmenter(options.model)
    frames = find_frames(options.data, "val")[: options.frames]
    batches = load_evaluation(frames, size, batch_size=options.batch_size, labels=None, resize=fitting(model))
    rows: dict[str, Row] = {
        "forward": forward_row(Inference(model), list(batches)),
        "evaluate": evaluate_row(model, frames, size, options.batch_size),
        "evaluate --no-boundaries": evaluate_row(model, frames, size, options.batch_size, boundaries=False),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(options.rounds):
        for name, row in rows.items():
            taken[name].append(row())
    shape = f"{len(frames)} frames, network at {options.size}, batch {options.batch_size}"
    print(f"{options.model} on {device_name()}, {options.backend}: {shape}")
    print(f"{'milliseconds a frame':<26} {'wall':>9} {'x forward':>10} {'processor':>10} {'x forward':>10}")
    for name, values in taken.items():
        ratios = [[a / b for a, b in zip(*pair, strict=True)] for pair in zip(values, taken["forward"], strict=True)]
        wall, processor = (1e3 * statistics.median(column) for column in zip(*values, strict=True))
        by_wall, by_processor = (statistics.median(column) for column in zip(*ratios, strict=True))
        print(f"{name:<26} {wall:9.2f} {by_wall:10.3f} {processor:10.2f} {by_processor:10.3f}")


def forward_row(inference: Any, batches: list[Any]) -> Row:
    """Return the row of the bare pass, compiled."""
    import numpy as np

    def start(batch: Any) -> Any:
        return inference.labels(batch.images, batch.box, batch.native_size)

    def run() -> tuple[float, float]:
        begun, used = time.perf_counter(), time.process_time()
        running = start(batches[0])
        for batch in batches[1:]:
            following = start(batch)
            np.asarray(running)
            running = following
        np.asarray(running)
        count = sum(batch.count for batch in batches)
        return (time.perf_counter() - begun) / count, (time.process_time() - used) / count

    run()
    return run


def evaluate_row(model: Any, frames: list[Any], size: tuple[int, ...], batch_size: int, **options: Any) -> Row:
    """Return the row of a whole evaluation that writes nothing."""
    from desertseg.engine import evaluate
    from desertseg.engine.scoring import Answered, Scoring

    marks: list[tuple[float, float]] = []

    class TimedScoring(Scoring):
        """Notes when the first frame came to be counted, and when the last one was."""

        def add(self, answered: Answered) -> None:
            if not marks:
                marks.append((time.perf_counter(), time.process_time()))
            super().add(answered)

        def finish(self) -> None:
            super().finish()
            marks.append((time.perf_counter(), time.process_time()))

    def run() -> tuple[float, float]:
        marks.clear()
        with patch("desertseg.engine.evaluate.Scoring", TimedScoring):
            evaluate(model, frames, size=size, batch_size=batch_size, progress=False, **options)
        first, last = marks
        timed = len(frames) - batch_size
        return (last[0] - first[0]) / timed, (last[1] - first[1]) / timed

    return run


if __name__ == "__main__":
    main()
