"""The error of a recipe."""

from __future__ import annotations

from desertseg.errors import UserError


class RecipeError(UserError):
    """A recipe that cannot be used."""
