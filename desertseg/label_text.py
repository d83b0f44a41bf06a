"""Label maps as TOML text: a file as it stands, comments and all, or a map written out."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from desertseg.label_class import LabelError
from desertseg.labels import LabelMap, available_labels
from desertseg.toml import TomlError, quote, read_text


def labels_text(labels: str | Path) -> str:
    """Return the TOML of a shipped label map by name, or of a file.

    Raises:
        LabelError: no such name or file.
    """
    path: Path | Traversable = Path(labels)
    if str(labels) in available_labels():
        path = resources.files("desertseg") / "labelsets" / f"{labels}.toml"
    try:
        return read_text(path)
    except TomlError as error:
        raise LabelError(f"label map {labels} cannot be read: {error}") from error


def labels_toml(labels: LabelMap) -> str:
    """Return a label map as TOML, as `load_labels` reads it."""
    lines = [f"name = {quote(labels.name)}", f"description = {quote(labels.description)}"]
    lines += [f"ignore = {list(labels.ignore)}", f"void = {labels.void}"]
    for c in labels.classes:
        lines += ["", "[[classes]]", f"name = {quote(c.name)}", f"ids = {list(c.ids)}", f"color = {list(c.color)}"]
        lines += [] if c.cost is None else [f"cost = {c.cost}"]
    for color, raw in labels.more_colors:
        lines += ["", "[[colors]]  # of masks that are coded by colour", f"color = {list(color)}", f"id = {raw}"]
    return "\n".join(lines) + "\n"
