"""Work on the device while the host reads and writes: one batch computes, the next is already dispatched."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numpy as np

Batch = TypeVar("Batch")

_AHEAD = 2  # batches on the device: one that computes, one that waits behind it


class Pipeline:
    """Dispatches batches ahead of their answers, and knows for how long the device had nothing to do.

    Attributes:
        batches: how many have been answered.
        seconds: from the first dispatch after the warm-up to the last answer; 0 before.
        busy: the seconds among them in which the device had a batch, its answer's way to the host included.
    """

    def __init__(self) -> None:
        self.batches, self.seconds, self.busy = 0, 0.0, 0.0
        self._started = self._free = 0.0

    @property
    def idle(self) -> float:
        """The share of the time in which the device waited for the host, 0 to 1; nan where one batch was all.

        The first batch is left out: it compiles.
        """
        return max(0.0, 1 - self.busy / self.seconds) if self.seconds else float("nan")

    def run(
        self, batches: Iterable[Batch], compute: Callable[[Batch], dict[str, Any]]
    ) -> Iterator[tuple[Batch, dict[str, np.ndarray]]]:
        """Yield each batch with its answer on the host, in order; at most two batches are on the device.

        Args:
            batches: what `compute` takes; the next one is asked for while the device works.
            compute: returns device arrays without waiting for them, as `Inference.answer` does.
        """
        flying: deque[tuple[Batch, Future[dict[str, np.ndarray]]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="desertseg-fetch") as fetcher:
            for batch in batches:
                begun = time.perf_counter()
                flying.append((batch, fetcher.submit(self._fetch, compute(batch), begun)))
                if len(flying) == _AHEAD:
                    done, answer = flying.popleft()
                    yield done, answer.result()
            while flying:
                done, answer = flying.popleft()
                yield done, answer.result()

    def _fetch(self, answer: dict[str, Any], begun: float) -> dict[str, np.ndarray]:
        fetched = {name: np.asarray(value) for name, value in answer.items()}
        now = time.perf_counter()
        if self.batches:
            begun = max(begun, self._free)  # it may have waited behind the one before
            self._started = self._started or begun
            self.busy += now - begun
            self.seconds = now - self._started
        self.batches, self._free = self.batches + 1, now
        return fetched


def read_ahead(items: Iterable[Batch], depth: int) -> Generator[Batch, None, None]:
    """Yield `items` while a thread of their own makes up to `depth` of the next ones."""
    source, end = iter(items), object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="desertseg-read")
    try:
        waiting = deque(pool.submit(next, source, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, source, end))
            yield cast(Batch, item)
    finally:  # also where the consumer stops early
        pool.shutdown(cancel_futures=True)
