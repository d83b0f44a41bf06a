"""Work on many files in threads, in order, with few of them in memory at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from desertseg.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[tuple[Item, Result | UserError]]:
    """Yield each item with what `function` made of it, or with its UserError, in order.

    Threads work ahead, by two items each, so that memory does not grow with the number of items.

    Args:
        function: called in threads; an exception that is no UserError is raised where its turn comes.
        items: what it is called with.
        threads: how many; by default one a core.
    """
    threads = threads or os.cpu_count() or 1
    pending: deque[tuple[Item, Future[Result]]] = deque()
    rest = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="desertseg-ahead")
    try:
        while True:
            for item in rest:
                pending.append((item, pool.submit(function, item)))
                if len(pending) >= 2 * threads + 1:
                    break
            if not pending:
                return
            item, future = pending.popleft()
            try:
                result: Result | UserError = future.result()
            except UserError as error:
                result = error
            yield item, result
    finally:  # also where the consumer stops early
        pool.shutdown(wait=True, cancel_futures=True)
