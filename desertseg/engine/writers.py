"""Threads that write frames while the device computes the next ones."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from desertseg.engine.outputs import Labelled, OutputError, OutputFolder

_MOST_THREADS = 8
_WAITING_BYTES = 2**28  # of frames that may wait for a writer, so that memory stays flat however slow the disk is


class Writers:
    """Writes frames in the background; a context manager.

    Args:
        folder: where they go.

    Attributes:
        written: names of the frames that were written, in order.
        notes: what was wrong with a frame's truth.
    """

    def __init__(self, folder: OutputFolder) -> None:
        self.folder = folder
        self.written: list[str] = []
        self.notes: list[str] = []
        self._pool = ThreadPoolExecutor(count_threads(), thread_name_prefix="desertseg-write")
        self._waiting: deque[tuple[Labelled, Future[str | None]]] = deque()
        self._bytes = 0

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, *error: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, frame: Labelled) -> None:
        """Queue a frame; waits where many wait already, and for a huge one until it is written."""
        self._waiting.append((frame, self._pool.submit(self.folder.write, frame)))
        self._bytes += _size(frame)
        while self._bytes > _WAITING_BYTES:
            self._settle()

    def finish(self) -> None:
        """Wait for every file.

        Raises:
            OutputError: one could not be written; the message says how many frames were.
        """
        while self._waiting:
            self._settle()

    def _settle(self) -> None:
        frame, running = self._waiting.popleft()
        self._bytes -= _size(frame)
        try:
            note = running.result()
        except OutputError as error:
            count = len(self.written)
            whole = f"{count} {'frame is' if count == 1 else 'frames are'} written whole in {self.folder.folder}"
            raise OutputError(f"{error} ({whole})") from error
        self.written.append(frame.name)
        self.notes += [note] if note else []


def count_threads() -> int:
    """Return how many threads decode, and how many write: half of the processors each, two at least."""
    return max(2, min(_MOST_THREADS, (os.cpu_count() or 2) // 2))


def _size(frame: Labelled) -> int:
    return frame.image.nbytes + frame.labels.nbytes + sum(answer.nbytes for answer in frame.answers.values())
