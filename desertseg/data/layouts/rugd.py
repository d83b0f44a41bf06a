"""RUGD (Wigness et al., IROS 2019), http://rugd.vision.

    RUGD_frames-with-annotations/<sequence>/<sequence>_<number>.png
    RUGD_annotations/<sequence>/<same name>.png                         colours

Each folder may lie in another of its own name, as some unpackers make it. Whole sequences make the splits; lists that
go round under the names of RUGD's splits swap val and test, or mix the frames of one sequence, so none is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from desertseg.data.layouts.layout import Files, Part
from desertseg.data.layouts.tree import named_subfolders

NAME = "rugd"
_IMAGES, _MASKS = "rugd_frames-with-annotations", "rugd_annotations"
_SEQUENCES = {
    "val": ("park-8", "trail-5"),
    "test": ("creek", "park-1", "trail-7", "trail-13"),
    "train": (
        *("park-2", "trail", "trail-3", "trail-4", "trail-6", "trail-9", "trail-10", "trail-11", "trail-12"),
        *("trail-14", "trail-15", "village"),
    ),
}
_FRAME = re.compile(r"([^/]+)/[^/]+_\d+")  # other tools leave masks of their own, such as creek_00001_orig.png


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the parts of a folder that holds RUGD's two, or None."""
    if _IMAGES not in children:
        return None
    images = _inner(children[_IMAGES], _IMAGES)
    masks = _inner(children[_MASKS], _MASKS) if _MASKS in children else None
    whole = _make_part(images, masks, None)
    parts = {split: _make_part(images, masks, sequences) for split, sequences in _SEQUENCES.items()}
    parts = {s: replace(p, only=f"the sequences {', '.join(_SEQUENCES[s])} (RUGD's {s})") for s, p in parts.items()}
    return {"*": whole, **parts}


def _inner(folder: Path, name: str) -> Path:
    return named_subfolders(folder).get(name, folder)


def _make_part(images: Path, masks: Path | None, sequences: tuple[str, ...] | None) -> Part:
    name = _named(sequences)

    def enter(path: str) -> bool:
        return sequences is None or path in sequences

    return Part(NAME, Files(images, name, enter), Files(masks, name, enter) if masks else None)


def _named(sequences: tuple[str, ...] | None) -> Callable[[str], str | None]:
    def name(path: str) -> str | None:
        match = _FRAME.fullmatch(path)
        return path if match and (sequences is None or match[1] in sequences) else None

    return name
