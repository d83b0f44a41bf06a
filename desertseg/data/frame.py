"""One frame on disk: an image, its mask, what it is called and where it was taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Frame:
    """One frame on disk.

    Attributes:
        image: its image file.
        mask: its mask file, or None.
        name: the stem of the image file; below subfolders with those before it, as in "creek/creek_0001".
        scene: which drive it belongs to: the subfolder, or else the stem up to its first digit ("cc0000016" -> "cc").
    """

    image: Path
    mask: Path | None
    name: str
    scene: str = ""


def name_scene(name: str) -> str:
    """Return the scene of a frame by its name, by the rule of `Frame`."""
    folder, _, stem = name.rpartition("/")
    prefix = re.match(r"\D*", stem)
    return folder or (prefix.group().strip("_-. ") if prefix else "")
