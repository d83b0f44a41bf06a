"""Rows that run in processes of their own and are measured in turns; each reports its times and its peak memory.

A program lists its rows as `Child` objects, which start it again with --child NAME; there it calls `serve`.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PACKAGES = ("keras", "jax", "tensorflow", "torch", "torchvision", "segmentation-models-pytorch", "timm", "transformers")


def add_options(parser: argparse.ArgumentParser, *, size: str, batch: int, steps: int, rounds: int) -> None:
    """Add the options that every such program has."""
    parser.add_argument("--size", default=size, help="HEIGHTxWIDTH")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--steps", type=int, default=steps, help="steps a round")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--child", help=argparse.SUPPRESS)


class Child:
    """A process that holds one row's compiled steps and measures them on request.

    Attributes:
        info: what the row says of itself; {"error": ...} where it cannot run.
        times, processor: seconds of the wall and of the processors, for each mode.
    """

    def __init__(self, name: str, backend: str, arguments: argparse.Namespace) -> None:
        environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads), TF_CPP_MIN_LOG_LEVEL="3")
        environment |= {"TF_NUM_INTRAOP_THREADS": str(arguments.threads), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        environment |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        if backend != "torch":
            environment["KERAS_BACKEND"] = backend
        if arguments.device == "cpu":
            environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}
        self.times: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}
        self.info: dict[str, Any] = {}
        command = [sys.executable, *sys.argv, "--child", name]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_until_ready(self) -> None:
        self.info = self._answer()

    def measure(self, mode: str) -> None:
        if "error" in self.info:
            return
        assert self.process.stdin is not None
        self.process.stdin.write(mode + "\n")
        self.process.stdin.flush()
        reply = self._answer()
        self.times.setdefault(mode, []).extend(reply.pop("times", []))
        self.processor.setdefault(mode, []).extend(reply.pop("processor", []))
        self.info |= reply

    def median(self, mode: str) -> float | None:
        """Return the median seconds of a step, None where none was measured."""
        return statistics.median(self.times[mode]) if self.times.get(mode) else None

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        assert self.process.stderr is not None
        return {"error": (self.process.stderr.read().strip().splitlines() or ["died"])[-1][:100]}


def measure_in_turns(children: Iterable[Child], modes: Iterable[str], rounds: int) -> None:
    """Start all, then measure each mode, the children taking turns."""
    children = list(children)
    for child in children:
        child.wait_until_ready()
    for mode in modes:
        for _ in range(rounds):
            for child in children:
                child.measure(mode)


def serve(
    prepare: Callable[[], tuple[dict[str, Callable], dict[str, Any]]],
    imports: Callable[[], object],
    arguments: argparse.Namespace,
    peak: Callable[[Callable], int | None] | None = None,
) -> None:
    """Import, build and compile one row, then time `steps` steps of the mode that each line read names.

    Args:
        prepare: returns the steps by mode and what is to be told of the row.
        imports: what is loaded before, whose memory does not count as the row's.
        arguments: of the program.
        peak: returns a step's peak of memory; None takes the process' own, above what it held after the imports.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    try:
        imports()
        base = resident()
        peak = peak or (lambda step: peak_of(step, base))
        run, info = prepare()
    except ImportError as error:
        print(json.dumps({"error": f"not installed ({error.name})"}), flush=True)
        return
    for step in [*run.values()] * 2:
        step()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - base
    print(json.dumps(info | {"whole_peak": whole}), flush=True)
    peaks: dict[str, int | None] = {}
    for line in sys.stdin:
        mode = line.strip()
        if mode not in peaks:
            peaks[mode] = peak(run[mode])
        times, processor = [], []
        for _ in range(arguments.steps):
            start, used = time.perf_counter(), time.process_time()
            run[mode]()
            times.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
        print(json.dumps({"times": times, "processor": processor, f"{mode}_peak": peaks[mode]}), flush=True)


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return _status("VmRSS")


def give_back() -> None:
    """Let the allocator return freed memory to the operating system, as far as it is glibc's."""
    if sys.platform.startswith("linux"):
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)


def peak_of(step: Callable[[], object], base: int) -> int | None:
    """Return the bytes above `base` that this process holds at most during a step; None where no kernel tells them.

    What earlier work freed and the allocator kept, compiling above all, is given back before.
    """
    give_back()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew at what is held now
    except OSError:
        return None
    step()
    return _status("VmHWM") - base


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def describe_machine(arguments: argparse.Namespace) -> str:
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    return (
        f"{arguments.size}, batch {arguments.batch}, {arguments.dtype}, {arguments.device}\n"
        f"{model}, {arguments.threads} threads, Python {platform.python_version()}; {', '.join(versions)}"
    )
