"""What does the augmentation cost, effect by effect, against the training step that it is part of?

    python benchmarks/augment.py [--backend jax|tensorflow] [--size 192x320] [--batch-size 8] [--repeats 15]

The step is DeepLabV3+ ResNet-18, forward, backward and AdamW, on a batch of the same size. Every row is the whole of
`augment` from the load size on, compiled as a training compiles it (XLA on JAX; TensorFlow's own kernels), with
parameters as the host draws them: the default set, `desert_best`'s, and the default with one effect more at
probability 1, so that every sample of the batch pays. "alone" is that row less the default set's, "share" the row's
time over the step's; target: 10 % for both sets. "host" is what drawing the batch's parameters takes, in a thread
that reads ahead. Rows alternate; a figure is the median of the repeats, of the time on the wall and of the processor's,
which other programs disturb less.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import read_options, time_in_turns

from desertseg.backend import use_backend
from desertseg.data import Augmentation, BatchSource, find_frames, index_classes
from desertseg.data.synthetic import write_dataset
from desertseg.labels import load_labels

EFFECTS: dict[str, dict[str, Any]] = {
    "rotate": {"rotate": 10.0},
    "color": {"brightness": (0.6, 1.4), "contrast": (0.6, 1.4), "saturation": (0.5, 1.5), "hue": 10.0},
    "gamma": {"gamma": (0.6, 1.6)},
    **{name: {name: 1.0} for name in ("blur", "noise", "clahe", "shadow", "haze", "glare", "tint")},
    **{name: {name: 1.0} for name in ("cutmix", "copy_paste")},
    "blur, no sample hit": {"blur": 1e-12},
    "clahe, no sample hit": {"clahe": 1e-12},
}
STEP = "training step"


def main() -> None:
    options = read_options(__doc__, size="192x320")
    use_backend(options.backend)
    from desertseg.engine.recipe import load_recipe

    best = Augmentation(**dataclasses.asdict(load_recipe("desert_best").augment))
    sets = {"default set": Augmentation(), "desert_best's set": best}
    sets |= {name: dataclasses.replace(Augmentation(), **changes) for name, changes in EFFECTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), train=options.batch_size, val=0, size=(540, 960))
        sources = {name: read(folder, augmentation, options) for name, augmentation in sets.items()}
        batches = {name: source[0] for name, source in sources.items()}
    rows = {STEP: prepare_step(options)}
    rows |= {name: prepare_augment(batch, options.size) for name, batch in batches.items()}
    spent: dict[str, list[float]] = {name: [] for name in rows}
    wall = time_in_turns({name: clock(row, spent[name]) for name, row in rows.items()}, options.repeats)
    processor = {name: statistics.median(times[1:]) for name, times in spent.items()}
    host = {name: time_draws(source) for name, source in sources.items()}
    print_table(wall, processor, host, options)


def clock(row: Callable[[], object], spent: list[float]) -> Callable[[], None]:
    """Return a run of the row that also notes the processor time of all threads."""

    def run() -> None:
        start = time.process_time()
        row()
        spent.append(time.process_time() - start)

    return run


def read(folder: str, augmentation: Augmentation, options: argparse.Namespace) -> BatchSource:
    frames, labels = find_frames(folder), load_labels("falcon")
    index = index_classes(frames, labels) if augmentation.needs_index else None
    fixed: dict[str, Any] = {"labels": labels, "size": options.size, "batch_size": options.batch_size, "shuffle": True}
    return BatchSource(frames, **fixed, augmentation=augmentation, index=index)


def prepare_step(options: argparse.Namespace) -> Any:
    from steps import prepare_keras

    from desertseg.memory import keep_freed_memory
    from desertseg.models import build_segmenter

    keep_freed_memory()
    size = f"{options.size[0]}x{options.size[1]}"
    arguments = argparse.Namespace(batch=options.batch_size, size=size, dtype="float32")
    return prepare_keras(lambda: build_segmenter(backbone="resnet18"), arguments, ("train",))[0]["train"]


def prepare_augment(batch: Any, size: tuple[int, int]) -> Any:
    """Return a compiled run of `augment` on one batch, which waits for the result."""
    import keras

    from desertseg.augment import augment

    inputs, labels = batch
    tensors = {key: keras.ops.convert_to_tensor(value) for key, value in inputs.items()}
    labels, images = keras.ops.convert_to_tensor(labels), tensors.pop("image")
    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(lambda images, labels, parameters: augment(images, labels, parameters, size))
        return lambda: jax.block_until_ready(function(images, labels, tensors))
    import tensorflow as tf

    function = tf.function(lambda images, labels, parameters: augment(images, labels, parameters, size))
    return lambda: [v.numpy() for v in function(images, labels, tensors)]


def time_draws(source: BatchSource, repeats: int = 5) -> float:
    """Return the median seconds of drawing a batch's parameters."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        source.draw(0)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def print_table(
    wall: dict[str, float], processor: dict[str, float], host: dict[str, float], options: argparse.Namespace
) -> None:
    import keras

    print(f"batch {options.batch_size}, {options.size[0]}x{options.size[1]}, {keras.backend.backend()}")
    print(f"{'':22} {'wall ms':>8} {'share':>7} {'CPU ms':>8} {'alone':>7} {'share':>7} {'host ms':>8}")
    for name in wall:
        alone = "" if name in (STEP, "default set") else f"{1e3 * (processor[name] - processor['default set']):.1f}"
        drawn = f"{1e3 * host[name]:.1f}" if name in host else ""
        line = f"{name:22} {1e3 * wall[name]:8.1f} {wall[name] / wall[STEP]:7.1%}"
        line += f" {1e3 * processor[name]:8.1f} {alone:>7} {processor[name] / processor[STEP]:7.1%} {drawn:>8}"
        print(line)


if __name__ == "__main__":
    main()
