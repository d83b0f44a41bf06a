"""Stopping when asked to: Ctrl-C and SIGTERM are taken down, and the training ends at a step of its choice."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

from desertseg.errors import Stopped

__all__ = ["StopSignal", "Stopped"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ANSWER = {
    signal.SIGINT: "stopping after this step; Ctrl-C again quits at once, and loses what came after the last state",
    signal.SIGTERM: "stopping after this step, as SIGTERM asks",
}


class StopSignal:
    """While it is entered, SIGINT and SIGTERM set `signal` instead of ending the process.

    A second Ctrl-C raises KeyboardInterrupt as usual. A signal that the process ignores stays ignored, as under nohup.
    Outside the main thread, where Python lets nobody handle signals, it does nothing.

    Args:
        answer: write a line to standard error when a signal comes; a step may take its time.

    Attributes:
        signal: the first signal that came, None until then.
    """

    def __init__(self, *, answer: bool = True) -> None:
        self.signal: signal.Signals | None = None
        self._answer = answer
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                previous = signal.getsignal(number)
                if previous not in (signal.SIG_IGN, None):  # None: a handler that Python could not put back
                    self._previous[number] = previous
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal = signal.Signals(number)
        if self._answer:
            with suppress(OSError):  # a terminal that has gone; past Python's buffer, which this may have interrupted
                os.write(2, f"\ndesertseg: {_ANSWER[self.signal]}\n".encode())
