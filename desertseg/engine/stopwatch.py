"""Timing a segmenter: what a user waits for, and what the device does of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from desertseg.data import Box
from desertseg.engine.exported import Model, open_inference
from desertseg.memory import available_memory, process_memory

FEWEST = 20  # calls for percentiles
_LONGEST = 60.0  # seconds after which no more calls than these are timed
_WARM_UP = 5  # calls after the one that compiles, before anything counts
_BATCHES, _SECONDS = 3, 1.5  # at least so many, at least so long, for a throughput
_GAIN = 1.03  # what a batch twice as large must gain to be worth it
_LARGEST = 1024


@dataclass(frozen=True)
class Latency:
    """Seconds that one image takes from the host's memory to its labels there, one call after another.

    Attributes:
        p50, p95, p99, mean, fastest, slowest: of `runs` calls.
        device: the median of the device's own part: from an image that lies there to labels that are ready there.
        outside: the share of a call, as a median, in which the device has nothing to do: Python, and copies there and
            back. Each call is compared with one on the device right after it.
    """

    p50: float
    p95: float
    p99: float
    mean: float
    fastest: float
    slowest: float
    runs: int
    device: float
    outside: float


@dataclass(frozen=True)
class Throughput:
    """Images a second in batches of one size, from and to the host's memory; one batch is given ahead.

    Attributes:
        batch_size, images_per_second: what was measured.
        batches: how many were timed.
        compile_seconds: the first call's.
    """

    batch_size: int
    images_per_second: float
    batches: int
    compile_seconds: float


class Stopwatch:
    """Times a segmenter from uint8 images to uint8 labels of the same size.

    Args:
        model: a segmenter or an exported file.
        size: (height, width).
    """

    def __init__(self, model: Model, size: tuple[int, int]) -> None:
        inference, box = open_inference(model), Box(0, 0, *size)
        self.size = size
        self._start: Callable[[Any], Any] = lambda images: inference.labels(images, box, size)

    def time_calls(self, repeats: int, done: Callable[[], None] = lambda: None) -> tuple[float, Latency]:
        """Return (seconds of the first call beyond a usual one, the latency of batch 1).

        Calls from the host and on the device alternate, so that both see the same machine.

        Args:
            repeats: timed calls; not below `FEWEST`, and fewer where they would take more than a minute.
            done: is called after each.
        """
        images = self._draw(1)
        first = _time(lambda: np.asarray(self._start(images)))
        resident = place(images)
        for _ in range(_WARM_UP):
            np.asarray(self._start(images))
            wait(self._start(resident))
        calls: list[float] = []
        device: list[float] = []
        begun = time.perf_counter()
        while len(calls) < repeats and (len(calls) < FEWEST or time.perf_counter() - begun < _LONGEST):
            calls.append(_time(lambda: np.asarray(self._start(images))))
            device.append(_time(lambda: wait(self._start(resident))))
            done()
        p50, p95, p99 = np.percentile(calls, (50, 95, 99)).tolist()
        own = np.median(device)
        outside = max(0.0, 1 - np.median(np.divide(device, calls)))
        latency = Latency(
            p50, p95, p99, float(np.mean(calls)), min(calls), max(calls), len(calls), float(own), float(outside)
        )
        return max(0.0, first - p50), latency

    def search_batches(self, batch_size: int | None = None) -> tuple[tuple[Throughput, ...], str]:
        """Return (throughputs, why there are no more).

        Args:
            batch_size: the one to measure; None doubles it from 1 until that gains nothing.
        """
        if batch_size is not None:
            return (self.time_batches(batch_size),), f"a batch size of {batch_size} was asked for"
        found: list[Throughput] = []
        before = process_memory()
        size = 1
        while size <= _LARGEST:
            try:
                found.append(self.time_batches(size))
            except Exception as error:
                if not found or not is_out_of_memory(error):
                    raise
                return tuple(found), f"a batch of {size} does not fit into the device's memory"
            rates = [throughput.images_per_second for throughput in found]
            if len(found) > 2 and max(rates[-2:]) < _GAIN * max(rates[:-2]):
                return tuple(found), "larger batches gained nothing"
            size *= 2
            if is_on_cpu() and not _would_fit(before):
                return tuple(found), f"a batch of {size} would hardly fit into memory"
        return tuple(found), f"a batch of {_LARGEST} is the largest that is tried"

    def time_batches(self, batch_size: int) -> Throughput:
        """Return the throughput of one batch size."""
        images = self._draw(batch_size)
        compiled = _time(lambda: np.asarray(self._start(images)))
        np.asarray(self._start(images))
        batches, begun = 0, time.perf_counter()
        running = self._start(images)
        while batches < _BATCHES or time.perf_counter() - begun < _SECONDS:
            following = self._start(images)
            np.asarray(running)
            running, batches = following, batches + 1
        np.asarray(running)
        seconds = time.perf_counter() - begun
        return Throughput(batch_size, (batches + 1) * batch_size / seconds, batches + 1, compiled)

    def _draw(self, count: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (count, *self.size, 3), np.uint8)


def place(images: np.ndarray) -> Any:
    """Return images as an array that lies on the device."""
    placed = keras.ops.convert_to_tensor(images)
    wait(placed)
    return placed


def wait(array: Any) -> None:
    """Wait until an array on the device is computed; one of an exported file's runtime is on the host already."""
    if isinstance(array, np.ndarray):
        return
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.test.experimental.sync_devices()
    else:
        array.block_until_ready()


def is_on_cpu() -> bool:
    """Return whether the backend computes on the host."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return not tf.config.list_physical_devices("GPU")
    import jax

    return jax.default_backend() == "cpu"


def device_peak() -> int | None:
    """Return the bytes that the device held at most; None on a CPU, whose memory is the process's."""
    if is_on_cpu():
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    import jax

    statistics = jax.local_devices()[0].memory_stats()
    return statistics.get("peak_bytes_in_use") if statistics else None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory was not enough."""
    kind = type(error).__name__
    return isinstance(error, MemoryError) or kind == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)


def _would_fit(before: int | None) -> bool:
    """Return whether a batch twice as large as the last would leave a fifth of the memory that is free now."""
    now, free = process_memory(), available_memory()
    if before is None or now is None or free is None:
        return True
    return now - before < 0.8 * free  # what the last batch took is needed once more


def _time(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
