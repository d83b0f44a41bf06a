"""How fast is a training step, and inference, beside plain Keras and PyTorch?

    python benchmarks/train_step.py
    python benchmarks/train_step.py --backbone resnet101 --size 512x896 --dtype bfloat16 --device gpu --peak-tflops 790

Every row is the same network: DeepLabV3+ as `build_segmenter` makes it. "plain Keras" is that network computed with the
plain Keras operations, "PyTorch" segmentation_models.pytorch's, changed to the same decoder, in channels_last (on a GPU
also compiled). The loss is cross-entropy, the optimiser AdamW, the step compiled as a whole. Each row runs in a process
of its own, all are measured in turns, and the ratio is that of the medians to the last row that ran.

On two CPU cores our JAX step takes 6 to 11 % longer than plain Keras on TensorFlow, which it was meant to reach. The
processor time is equal; XLA's CPU backend keeps both cores busy for a smaller part of the step, and some steps fetch
their memory from the kernel anew in spite of `keep_freed_memory`. The numbers stand in docs/results.md.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from children import Child, add_options, describe_machine, measure_in_turns, serve
from steps import import_keras, prepare_keras, prepare_torch
from torch_networks import build_deeplab, import_modules

ROWS = {
    "desertseg, JAX": ("jax", True),
    "desertseg, TensorFlow": ("tensorflow", True),
    "plain Keras, JAX": ("jax", False),
    "plain Keras, TensorFlow": ("tensorflow", False),
    "PyTorch (smp)": ("torch", False),
}


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        return run_child(arguments)
    print(f"DeepLabV3+ {arguments.backbone}, {describe_machine(arguments)}")
    names = [name for name in ROWS if arguments.only is None or arguments.only in name]
    children = {name: Child(name, ROWS[name][0], arguments) for name in names}
    measure_in_turns(children.values(), ("train", "infer"), arguments.rounds)
    for mode in ("train", "infer"):
        print_table(mode, children, arguments)
    for child in children.values():
        child.stop()
    return None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    add_options(parser, size="256x256", batch=4, steps=5, rounds=5)
    parser.add_argument("--peak-tflops", type=float, help="of the device in this dtype; prints the share reached")
    parser.add_argument("--only", help="rows whose name holds this text")
    return parser.parse_args()


def print_table(mode: str, children: dict[str, Child], arguments: argparse.Namespace) -> None:
    measured = {name: child.times[mode] for name, child in children.items() if child.times.get(mode)}
    peer = next(reversed(measured), None)
    flops = next((c.info[f"{mode}_flops"] for c in children.values() if f"{mode}_flops" in c.info), None)
    title = "training step" if mode == "train" else "inference"
    print(f"\n{title:26} images/s     ms [range]            CPU ms   speed / {peer} [range over rounds]")
    for name, child in children.items():
        times = child.times.get(mode)
        if not times:
            print(f"{name:26} {child.info.get('error', 'not measured')}")
            continue
        median = statistics.median(times)
        rounds = [
            [statistics.median(t[i : i + arguments.steps]) for i in range(0, len(t), arguments.steps)]
            for t in (times, measured[peer])
        ]
        ratios = [b / a for a, b in zip(*rounds, strict=False)]
        line = (
            f"{name:26} {arguments.batch / median:8.2f} {median * 1e3:9.1f}"
            f" [{min(times) * 1e3:.1f}, {max(times) * 1e3:.1f}]"
            f" {statistics.median(child.processor[mode]) * 1e3:9.0f} {statistics.median(measured[peer]) / median:8.2f}"
            f" [{min(ratios):.2f}, {max(ratios):.2f}]"
        )
        if arguments.peak_tflops and flops:
            line += f"  {flops / median / arguments.peak_tflops / 1e12:6.1%} of peak"
        print(line)


def run_child(arguments: argparse.Namespace) -> None:
    """Build, compile and time one row."""
    backend, fast = ROWS[arguments.child]

    def build() -> Any:
        from desertseg.models import build_segmenter

        return build_segmenter(backbone=arguments.backbone)

    if backend == "torch":
        return serve(
            lambda: prepare_torch(lambda: build_deeplab(arguments.backbone), arguments),
            lambda: import_modules("segmentation_models_pytorch"),
            arguments,
        )
    return serve(lambda: prepare_keras(build, arguments, fast=fast), lambda: import_keras(backend, fast), arguments)


if __name__ == "__main__":
    main()
