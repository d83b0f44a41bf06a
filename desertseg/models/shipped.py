"""The weights that ship with the package, by name."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from desertseg.files import list_shipped


def available_checkpoints() -> list[str]:
    """Return the names of the shipped models, such as "desert-small", sorted."""
    return list_shipped(_folder(), ".keras")


def find_checkpoint(model: str | Path) -> Path:
    """Return the file of a shipped model by its name; anything else is taken for a path, and returned as one."""
    return Path(str(_folder() / f"{model}.keras")) if str(model) in available_checkpoints() else Path(model)


def _folder() -> Traversable:
    return resources.files("desertseg.checkpoints")
