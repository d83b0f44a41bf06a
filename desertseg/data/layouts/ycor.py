"""Yamaha-CMU Off-Road, YCOR (Maturana et al., FSR 2017), https://theairlab.org/yamaha-offroad-dataset/.

    yamaha_v0/train/iid000008/rgb.jpg + labels.png      indexed PNG: the palette's indices are the ids
    yamaha_v0/valid/iid000839/...

A folder is a frame and gives it its name; which drive it is of is not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from desertseg.data.layouts.layout import WHOLE, Files, Part
from desertseg.data.layouts.tree import list_folder

NAME = "ycor"
_FRAME = re.compile(r"iid\d+")


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the part of one split, a folder of iid folders, or None."""
    first = next((c for name, c in sorted(children.items()) if _FRAME.fullmatch(name)), None)
    if first is None or not any(e.name.startswith(("rgb.", "labels.")) for e in list_folder(first)):
        return None
    images, masks = (Files(folder, _named(kind), lambda path: "/" not in path) for kind in ("rgb", "labels"))
    return {WHOLE: Part(NAME, images, masks, scene=lambda name: "")}


def _named(kind: str) -> Callable[[str], str | None]:
    def name(path: str) -> str | None:
        frame, _, file = path.partition("/")
        return frame if file == kind else None

    return name
