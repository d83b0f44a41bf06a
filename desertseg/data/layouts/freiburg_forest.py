"""Freiburg Forest (Valada et al., ISER 2016), http://deepscene.cs.uni-freiburg.de.

    freiburg_forest_annotated/train/rgb/b1-09517_Clipped.jpg + GT_color/b1-09517_Clipped.png, or ..._mask.png
    freiburg_forest_annotated/test/...

Masks are colours, of which black is an obstacle. There is no val split. Depth and infrared folders are not read.
"""

from __future__ import annotations

import re
from pathlib import Path

from desertseg.data.layouts.layout import WHOLE, Files, Part

NAME = "freiburg_forest"
_ENDING = re.compile(r"_(Clipped|mask)$", re.IGNORECASE)


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the part of one split, rgb beside GT_color, or None."""
    if "rgb" not in children or "gt_color" not in children:
        return None
    masks = Files(children["gt_color"], _strip)
    return {WHOLE: Part(NAME, Files(children["rgb"]), masks, key=_strip)}


def _strip(name: str) -> str:
    return _ENDING.sub("", name)
