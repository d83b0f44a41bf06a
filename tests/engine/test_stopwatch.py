from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from keras import ops

from desertseg.engine import stopwatch
from desertseg.engine.stopwatch import Stopwatch, place, wait


class Machine:
    """A clock that only a call moves, by `seconds(batch size, host)`."""

    def __init__(self, seconds: Callable[[int, bool], float]) -> None:
        self.now, self.seconds = 0.0, seconds

    def perf_counter(self) -> float:
        return self.now

    def start(self, images: object) -> object:
        self.now += self.seconds(len(images), isinstance(images, np.ndarray))  # type: ignore[arg-type]
        return ops.zeros(1)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, bool], float]], Stopwatch]:
    def build(seconds: Callable[[int, bool], float]) -> Stopwatch:
        machine = Machine(seconds)
        monkeypatch.setattr(stopwatch.time, "perf_counter", machine.perf_counter)
        monkeypatch.setattr(stopwatch, "is_on_cpu", lambda: False)
        watch = Stopwatch.__new__(Stopwatch)
        watch.size, watch._start = (2, 3), machine.start
        return watch

    return build


def test_only_warm_calls_count(timed: Callable[..., Stopwatch]) -> None:
    """The first call compiles for 9 s, five more are slow, and a call's device part is 3/4 of it."""
    usual = [0.001 * n for n in range(1, 101)]
    calls = iter([9.05] + [0.5] * 5 + usual)
    device = iter([0.4] * 5 + [0.75 * seconds for seconds in usual])
    done: list[int] = []
    compiled, latency = timed(lambda batch, host: next(calls if host else device)).time_calls(
        100, lambda: done.append(1)
    )
    assert latency.runs == len(done) == 100
    assert (latency.p50, latency.p95, latency.p99) == pytest.approx(np.percentile(usual, (50, 95, 99)).tolist())
    assert (latency.mean, latency.fastest, latency.slowest) == pytest.approx((0.0505, 0.001, 0.1))
    assert (latency.device, latency.outside) == pytest.approx((0.75 * latency.p50, 0.25))
    assert compiled == pytest.approx(9.05 - latency.p50)


def test_slow_calls_are_cut_short(timed: Callable[..., Stopwatch]) -> None:
    assert timed(lambda batch, host: 2.0).time_calls(100)[1].runs == 20
    assert timed(lambda batch, host: 1.0).time_calls(100)[1].runs == 30


def test_batches_grow_until_they_gain_nothing(timed: Callable[..., Stopwatch]) -> None:
    """A batch takes 10 ms and 1 ms an image up to 8 images; larger ones take 3 ms an image."""
    watch = timed(lambda batch, host: 0.01 + batch * (0.001 if batch <= 8 else 0.003))
    found, stopped = watch.search_batches()
    assert [t.batch_size for t in found] == [1, 2, 4, 8, 16, 32]
    assert stopped == "larger batches gained nothing"
    assert max(found, key=lambda t: t.images_per_second).batch_size == 8
    assert found[3].images_per_second == pytest.approx(8 / 0.018)
    assert found[3].batches >= 3
    asked, _ = watch.search_batches(5)
    assert [t.batch_size for t in asked] == [5]


def test_a_batch_that_does_not_fit_ends_the_search(timed: Callable[..., Stopwatch]) -> None:
    def seconds(batch: int, host: bool) -> float:
        if batch > 4:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes")
        return 0.01

    found, stopped = timed(seconds).search_batches()
    assert [t.batch_size for t in found] == [1, 2, 4]
    assert stopped == "a batch of 8 does not fit into the device's memory"


def test_waiting_is_for_what_was_placed() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    placed = place(images)
    wait(placed)
    assert not isinstance(placed, np.ndarray)
    np.testing.assert_array_equal(placed, images)
