"""What goes wrong with models, said in words."""

from desertseg.errors import UserError


class ModelError(UserError):
    """A model that cannot be built as asked, or an input that it cannot take."""
