"""How fast a model answers: timing that can be believed.

A call takes uint8 images from the host's memory and ends when the labels are back there, so that nothing is left out
that a user waits for but files. Beside it the device's own part is timed: images that are already there, until the
labels are ready there.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from desertseg.engine.checkpoint import load_model
from desertseg.engine.exported import ExportedSegmenter, Model, network_size
from desertseg.engine.precision import compute_in, computed_in
from desertseg.engine.run import describe_environment
from desertseg.engine.stopwatch import FEWEST, Latency, Stopwatch, Throughput, device_peak, is_out_of_memory
from desertseg.errors import UserError, suggest
from desertseg.memory import peak_memory
from desertseg.models import available_models, available_networks, build_segmenter
from desertseg.models.shipped import available_checkpoints, find_checkpoint
from desertseg.terminal import progress_line


@dataclass(frozen=True)
class Benchmark:
    """What `benchmark` measured.

    Attributes:
        model: as it was asked for.
        network: the network's class and its backbone's, or an exported file's format and its runtime.
        parameters: how many; None of an exported file.
        dtype: that the network computes in; weights and logits are float32.
        size: (height, width) of images and labels.
        load_seconds: from the file, or for a network without weights from its name, to a model in memory.
        compile_seconds: what the first call takes more than a usual one, for batch 1.
        latency: of batch 1.
        throughputs: a batch size each.
        stopped: why no larger batch was tried.
        memory: bytes: "loaded" and "batch_1" and "process" are what the process held at most until then, "device" is
            what the device held at most in all; None where nobody tells.
        environment: device, backend, versions, host.
    """

    model: str
    network: str
    parameters: int | None
    dtype: str
    size: tuple[int, int]
    load_seconds: float
    compile_seconds: float
    latency: Latency
    throughputs: tuple[Throughput, ...]
    stopped: str
    memory: dict[str, int | None]
    environment: dict[str, Any]

    @property
    def best(self) -> Throughput:
        return max(self.throughputs, key=lambda throughput: throughput.images_per_second)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; times are seconds."""
        return asdict(self) | {"size": list(self.size), "best": asdict(self.best)}


def benchmark(
    model: str | Path | Model,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    repeats: int = 200,
    progress: bool = True,
) -> Benchmark:
    """Return how fast a model is here.

    Args:
        model: a `.keras` file, a shipped model, an exported file, a network of the zoo (random weights are as fast), or
            a loaded model.
        size: (height, width) of the images; the training size when None.
        batch_size: whose throughput is measured; None doubles it from 1 until that gains nothing.
        dtype: to compute in: "float32", "bfloat16" or "float16"; None as the model was trained.
        repeats: timed calls of batch 1, fewer (not below 20) where they would take more than a minute.
        progress: show what is measured now.

    Raises:
        UserError: no such model, no size, or an image that does not fit into memory.
    """
    if repeats < FEWEST:
        raise UserError(f"repeats is {repeats}; percentiles need at least {FEWEST}")
    started = time.perf_counter()
    opened = _compute_in(_open(model), dtype)
    loaded = time.perf_counter() - started
    size = network_size(opened, size)
    memory = {"loaded": peak_memory()}
    watch = Stopwatch(opened, size)
    with progress_line("benchmark", repeats, "calls", progress) as line:
        try:
            compiled, latency = watch.time_calls(repeats, line.advance)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"one image of {size[0]}x{size[1]} does not fit into memory; give a smaller size"
            ) from error
        memory["batch_1"] = peak_memory()
        line.describe("throughput")
        throughputs, stopped = watch.search_batches(batch_size)
    memory |= {"process": peak_memory(), "device": device_peak()}
    return Benchmark(
        model=str(model) if isinstance(model, (str, Path)) else "a model in memory",
        **_describe(opened),
        size=size,
        load_seconds=loaded,
        compile_seconds=compiled,
        latency=latency,
        throughputs=throughputs,
        stopped=stopped,
        memory=memory,
        environment=describe_environment(),
    )


def _describe(model: Model) -> dict[str, Any]:
    """Return what a model is: network, parameters and dtype."""
    if isinstance(model, ExportedSegmenter):
        file = model.exported
        return {"network": f"{file.format} through {file.runtime}", "parameters": None, "dtype": file.dtype}
    backbone = getattr(model.network, "backbone", None)
    return {
        "network": type(model.network).__name__ + (f" on {type(backbone).__name__}" if backbone is not None else ""),
        "parameters": model.count_params(),
        "dtype": computed_in(model),
    }


def _compute_in(model: Model, dtype: str | None) -> Model:
    if dtype is None:
        return model
    if isinstance(model, ExportedSegmenter):
        raise UserError(f"{model.exported.path} computes in {model.exported.dtype}, for good; leave --dtype out")
    return compute_in(model, dtype)


def _open(model: str | Path | Model) -> Model:
    """Return a loaded model, or a network of the zoo with random weights."""
    networks = [*available_networks(), *available_models()]
    if isinstance(model, str) and model in networks:
        return build_segmenter(model)
    path = find_checkpoint(model) if isinstance(model, (str, Path)) else None
    if path is not None and not path.suffix and not path.exists():
        shipped = available_checkpoints()
        raise UserError(
            f"model '{model}' is neither a file nor a name{suggest(str(model), [*shipped, *networks])}; "
            f"give a best.keras, {', '.join(shipped)}, or a network that `desertseg models` lists"
        )
    return load_model(model)
