"""The one kind of error that a user can mend: its message is complete, one line, and needs no traceback."""


class UserError(ValueError):
    """What the user gave cannot be used. The message says what was found, where, what was expected and what to do.

    The command line prints the message and exits with code 2; every other exception is a fault of desertseg.
    """
