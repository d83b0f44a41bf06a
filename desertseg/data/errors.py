"""The error of this package."""

from desertseg.errors import UserError


class DataError(UserError):
    """A file, a folder or a data option that cannot be used as it is."""
