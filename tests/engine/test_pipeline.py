from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from desertseg.engine.pipeline import Pipeline, read_ahead


class Slow:
    """A device array whose value takes its time."""

    def __init__(self, value: int, seconds: float = 0.0) -> None:
        self.value, self.seconds = value, seconds

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        time.sleep(self.seconds)
        return np.array(self.value)


def test_answers_come_in_order_one_batch_behind() -> None:
    asked: list[int] = []

    def batches() -> Iterator[int]:
        for number in range(5):
            asked.append(number)
            yield number

    pipeline = Pipeline()
    for number, answer in pipeline.run(batches(), lambda b: {"square": Slow(b * b)}):
        assert answer["square"] == number**2
        assert isinstance(answer["square"], np.ndarray)
        assert asked[-1] == min(4, number + 1)  # the next is dispatched before this one is handed out
    assert pipeline.batches == 5
    assert [t.name for t in threading.enumerate() if t.name.startswith("desertseg-fetch")] == []


@pytest.mark.parametrize(("device", "host", "low", "high"), [(0.04, 0.0, 0.0, 0.5), (0.0, 0.04, 0.6, 1.0)])
def test_the_idle_share_tells_who_waited(device: float, host: float, low: float, high: float) -> None:
    def batches() -> Iterator[int]:
        for number in range(6):
            time.sleep(host)
            yield number

    pipeline = Pipeline()
    for _ in pipeline.run(batches(), lambda b: {"x": Slow(b, device)}):
        pass
    assert low <= pipeline.idle <= high
    assert pipeline.busy <= pipeline.seconds


def test_one_batch_tells_nothing() -> None:
    pipeline = Pipeline()
    assert len(list(pipeline.run([1], lambda b: {"x": Slow(b)}))) == 1
    assert np.isnan(pipeline.idle)
    assert list(Pipeline().run([], lambda b: {})) == []


def test_errors_of_both_sides_are_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    def refuse(batch: int) -> dict[str, Slow]:
        raise ValueError("no such shape")

    with pytest.raises(OSError, match="disk"):
        list(Pipeline().run(broken(), lambda b: {"x": Slow(b)}))
    with pytest.raises(ValueError, match="no such shape"):
        list(Pipeline().run([1], refuse))


def test_items_are_made_ahead_in_order_and_no_further() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            yield number

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 0
    ahead.close()
    assert len(made) <= 4
    assert list(read_ahead(range(9), 3)) == list(range(9))
    assert [t.name for t in threading.enumerate() if t.name.startswith("desertseg-read")] == []

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    ahead = read_ahead(broken(), 4)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="disk"):
        next(ahead)
