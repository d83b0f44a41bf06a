from __future__ import annotations

import threading
import time

import pytest

from desertseg.data.ahead import map_ahead
from desertseg.data.errors import DataError


def test_results_come_in_order_and_errors_of_the_user_in_their_place() -> None:
    def work(item: int) -> int:
        time.sleep(0.003 * (5 - item % 5))
        if item == 3:
            raise DataError("three is bad")
        return item * item

    found = list(map_ahead(work, range(10), threads=4))
    assert [item for item, _ in found] == list(range(10))
    assert isinstance(found[3][1], DataError)
    assert [result for item, result in found if item != 3] == [i * i for i in range(10) if i != 3]
    assert list(map_ahead(work, [])) == []


def test_other_errors_are_raised_and_few_items_wait() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 4:
            raise ZeroDivisionError
        return item

    results = map_ahead(work, iter(range(1000)), threads=2)
    assert next(results) == (0, 0)
    time.sleep(0.02)
    assert len(begun) <= 6
    with pytest.raises(ZeroDivisionError):
        list(results)
    assert len(begun) < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("desertseg-ahead")]
