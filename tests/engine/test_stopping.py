from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from desertseg.engine.stopping import Stopped, StopSignal


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """Begin as a process of a terminal does: one that a shell started with & ignores Ctrl-C from birth."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_taken_down_and_the_handlers_come_back(number: signal.Signals, code: int, capfd) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with StopSignal() as stop:
        assert stop.signal is None
        os.kill(os.getpid(), number)
        assert stop.signal == number
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert "stopping after this step" in capfd.readouterr().err
    assert Stopped(number).exit_code == code


def test_a_second_ctrl_c_interrupts_and_a_second_sigterm_waits() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSignal(answer=False) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignal(answer=False) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_touched() -> None:
    handlers = []

    def run() -> None:
        with StopSignal() as stop:
            handlers.append((signal.getsignal(signal.SIGINT), stop.signal))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [(signal.getsignal(signal.SIGINT), None)]


def test_the_message_holds_the_command_that_goes_on() -> None:
    stopped = Stopped(signal.SIGTERM, "runs/my desert", 12)
    expected = "stopped by SIGTERM; saved after step 12; go on with: desertseg fit --resume 'runs/my desert'"
    assert (str(stopped), stopped.signal) == (expected, signal.SIGTERM)
    assert str(Stopped(signal.SIGINT)) == "stopped by Ctrl-C, before there was anything to save"
