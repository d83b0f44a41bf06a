"""Recognise the layout of a data folder, in any letter case and below folders that hold nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.layouts import freiburg_forest, goose, plain, rellis3d, rugd, tas500, ycor
from desertseg.data.layouts.layout import SPLITS, WHOLE, Files, Layout, Part
from desertseg.data.layouts.tree import has_images, named_subfolders

_SPECIAL = (rugd, rellis3d, goose, tas500, ycor, freiburg_forest)
_MOST_BRANCHINGS = 3  # how many folders with several subfolders lie above a data set
_ALL = "*"  # the key of the frames of all splits together
_LABELS = {
    "falcon": "falcon",
    rugd.NAME: "rugd",
    rellis3d.NAME: "rellis3d",
    goose.NAME: "goose",
    goose.EX_NAME: "goose",
    tas500.NAME: "tas500",
    ycor.NAME: "ycor",
    freiburg_forest.NAME: "freiburg_forest",
}


def recognise(root: Path) -> Layout | None:
    """Return the layout of a folder; None of one in which no images are.

    Raises:
        DataError: the folder holds several data sets, or one that may not be read.
    """
    parts = _search(root)
    if not parts:
        return None
    whole = parts.pop(_ALL, None)
    names = {part.layout for part in parts.values()}
    name = names.pop() if len(names) == 1 else "folders"
    itself = SPLITS.get(root.name.lower())
    if WHOLE in parts and itself in ("val", "test"):  # .../val itself was given: nothing is to be cut from it
        parts = {itself: parts[WHOLE]}
    uncut = rellis3d.UNCUT if name == rellis3d.NAME else ""
    return Layout(name, root, parts, _LABELS.get(name), whole, uncut)


def _search(folder: Path, branchings: int = 0) -> dict[str, Part]:
    """Return the part of each split at or below a folder; the key is "" where there are no splits."""
    children = named_subfolders(folder)
    for layout in (*_SPECIAL, plain):
        found = layout.recognise(folder, children)
        if found:
            return found
    parts: dict[str, Part] = {}
    branchings += len(children) > 1
    for name, child in children.items() if branchings <= _MOST_BRANCHINGS else ():
        for split, part in _search(child, branchings).items():
            key = split or SPLITS.get(name, WHOLE)
            parts[key] = _merge(folder, key, parts[key], part) if key in parts else part
    if set(parts) - {WHOLE}:
        parts.pop(WHOLE, None)  # images beside the splits, such as pictures of them
    elif has_images(folder) and not any(part.masks for part in parts.values()):
        parts = {WHOLE: Part("images", Files(folder))}
    return parts


def _merge(folder: Path, key: str, one: Part, other: Part) -> Part:
    """Return images alone in several folders, such as one a scene, as one part; refuse two data sets."""
    if key == WHOLE and one.masks is None and other.masks is None:
        return replace(one, layout="images", images=Files(folder))
    raise DataError(
        f"{folder} holds several data sets, {one.images.folder} and {other.images.folder}; give one of them"
    )
