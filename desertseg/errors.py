"""The one kind of error that a user can mend: its message is complete, one line, and needs no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """What the user gave cannot be used. The message says what was found, where, what was expected and what to do.

    The command line prints the message and exits with code 2; every other exception is a fault of desertseg.
    """


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'resnet50'?)" for the known name nearest to a wrong one, "" where none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""
