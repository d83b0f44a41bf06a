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
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

from steps import prepare_keras, prepare_torch

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
    print(describe_machine(arguments))
    children = {name: Child(name, arguments) for name in ROWS if arguments.only is None or arguments.only in name}
    for child in children.values():
        child.wait_until_ready()
    for mode in ("train", "infer"):
        for _ in range(arguments.rounds):
            for child in children.values():
                child.measure(mode)
        print_table(mode, children, arguments)
    for child in children.values():
        child.stop()
    return None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", default="256x256", help="HEIGHTxWIDTH")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--steps", type=int, default=5, help="steps a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--peak-tflops", type=float, help="of the device in this dtype; prints the share reached")
    parser.add_argument("--only", help="rows whose name holds this text")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


class Child:
    """A process that holds one row's compiled step and measures it on request."""

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        backend = ROWS[name][0]
        environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads), TF_CPP_MIN_LOG_LEVEL="3")
        environment |= {"TF_NUM_INTRAOP_THREADS": str(arguments.threads), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        environment |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        if backend != "torch":
            environment["KERAS_BACKEND"] = backend
        if arguments.device == "cpu":
            environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}
        self.times: dict[str, list[float]] = {"train": [], "infer": []}
        self.processor: dict[str, list[float]] = {"train": [], "infer": []}
        self.info: dict[str, Any] = {}
        command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ask(self, request: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        assert self.process.stderr is not None
        return {"error": (self.process.stderr.read().strip().splitlines() or ["died"])[-1][:100]}

    def wait_until_ready(self) -> None:
        self.info = self.answer()

    def measure(self, mode: str) -> None:
        if "error" not in self.info:
            reply = self.ask(mode)
            self.times[mode] += reply.get("times", [])
            self.processor[mode] += reply.get("processor", [])
            if "error" in reply:
                self.info = reply

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=60)


def print_table(mode: str, children: dict[str, Child], arguments: argparse.Namespace) -> None:
    measured = {name: child.times[mode] for name, child in children.items() if child.times[mode]}
    peer = next(reversed(measured), None)
    flops = next((c.info[f"{mode}_flops"] for c in children.values() if f"{mode}_flops" in c.info), None)
    title = "training step" if mode == "train" else "inference"
    print(f"\n{title:26} images/s     ms [range]            CPU ms   speed / {peer} [range over rounds]")
    for name, child in children.items():
        times = child.times[mode]
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


def describe_machine(arguments: argparse.Namespace) -> str:
    versions = []
    for package in ("keras", "jax", "tensorflow", "torch", "segmentation-models-pytorch"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    return (
        f"DeepLabV3+ {arguments.backbone}, {arguments.size}, batch {arguments.batch}, {arguments.dtype}, "
        f"{arguments.device}\n"
        f"{model}, {arguments.threads} threads, Python {platform.python_version()}; {', '.join(versions)}"
    )


def run_child(arguments: argparse.Namespace) -> None:
    """Build and compile one row, then time `steps` steps for every line read."""
    backend, fast = ROWS[arguments.child]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    try:
        if backend == "torch":
            run, info = prepare_torch(arguments)
        else:
            run, info = prepare_keras(arguments, backend, fast)
    except ImportError as error:
        print(json.dumps({"error": f"not installed ({error.name})"}), flush=True)
        return
    for mode in ("train", "infer", "train", "infer"):
        run[mode]()
    print(json.dumps(info), flush=True)
    for line in sys.stdin:
        times, processor = [], []
        for _ in range(arguments.steps):
            start, used = time.perf_counter(), time.process_time()
            run[line.strip()]()
            times.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
        print(json.dumps({"times": times, "processor": processor}), flush=True)


if __name__ == "__main__":
    main()
