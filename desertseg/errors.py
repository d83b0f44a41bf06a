"""What ends a command without a traceback: an error that a user can mend, and a wish to stop."""

from __future__ import annotations

import difflib
import shlex
import signal
from collections.abc import Iterable
from pathlib import Path


class UserError(ValueError):
    """What the user gave cannot be used. The message says what was found, where, what was expected and what to do.

    The command line prints the message and exits with code 2; every other exception is a fault of desertseg. It is one
    line of what can be seen, whatever names and values it quotes.
    """

    def __str__(self) -> str:
        text = super().__str__()
        return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Stopped(Exception):
    """A run that was asked to stop, and has: the message says by what, and the command that goes on with it.

    Args:
        number: the signal.
        folder: of the run; None where there is nothing to go on from.
        step: the last one that was saved.

    Attributes:
        signal: the signal.
        exit_code: what a shell expects of a process that a signal stopped, 130 for Ctrl-C and 143 for SIGTERM.
    """

    def __init__(self, number: int, folder: str | Path | None = None, step: int | None = None) -> None:
        self.signal = signal.Signals(number)
        self.exit_code = 128 + self.signal
        text = f"stopped by {'Ctrl-C' if self.signal == signal.SIGINT else self.signal.name}"
        if folder is None:
            text += ", before there was anything to save"
        else:
            saved = "" if step is None else f"; saved after step {step}"
            text += f"{saved}; go on with: desertseg fit --resume {shlex.quote(str(folder))}"
        super().__init__(text)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'resnet50'?)" for the known name nearest to a wrong one, "" where none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""


def plural(count: int, word: str) -> str:
    """Return "1 frame", "2 frames", "2 classes"."""
    several = word[:-1] + "ies" if word.endswith("y") else f"{word}es" if word.endswith(("s", "x")) else f"{word}s"
    return f"{count:,} {word if count == 1 else several}"
