"""RELLIS-3D (Jiang et al., ICRA 2021), https://github.com/unmannedlab/RELLIS-3D.

    Rellis-3D/<00000..00004>/pylon_camera_node/frame000000-1581624652_750.jpg
    Rellis-3D/<00000..00004>/pylon_camera_node_label_id/<same stem>.png     ids
    train.lst, val.lst, test.lst                                            rows "image label"

Images, masks and lists are three archives, so they may lie in three folders side by side. Half of the images have no
mask. All splits share the five sequences, so there is no telling them apart without the lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.layouts.layout import WHOLE, Files, Part
from desertseg.data.layouts.tree import named_subfolders, subfolders

NAME = "rellis3d"
UNCUT = (
    "RELLIS-3D's splits are the lists train.lst, val.lst and test.lst (Rellis_3D_image_split.zip); put them into the "
    "folder, or make lists of your own with `desertseg split`"
)
_IMAGES, _MASKS = "pylon_camera_node", "pylon_camera_node_label_id"
_SEQUENCE = re.compile(r"\d{5}")


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the parts of a folder that is or holds RELLIS-3D's sequences, or its unpacked archives side by side."""
    if _IMAGES in children and _SEQUENCE.fullmatch(folder.name):
        return {WHOLE: _make_part(folder.parent, folder.parent if _MASKS in children else None, None, folder.name)}
    if not any(_SEQUENCE.fullmatch(n) or "rellis" in n or "pylon" in n for n in children):
        return None
    roots = list(_sequence_roots(folder, children))
    images = next((r for r in roots if _has(r, _IMAGES)), None)
    if images is None:
        return None
    masks = next((r for r in [images, *roots] if _has(r, _MASKS)), None)
    parts = {"*": _make_part(images, masks, None)}
    for split, path in _find_lists(folder, images).items():
        parts[split] = _make_part(images, masks, path)
    return parts if len(parts) > 1 else {WHOLE: parts["*"]}


def _sequence_roots(folder: Path, children: dict[str, Path]) -> Iterator[Path]:
    """Yield the folders that hold sequences: this one, or those of unpacked archives up to two folders below."""
    if any(_SEQUENCE.fullmatch(name) for name in children):
        yield folder
    for name, child in children.items():
        if "rellis" in name or "pylon" in name:
            below = named_subfolders(child)
            yield from _sequence_roots(child, below)


def _has(root: Path, kind: str) -> bool:
    return any((root / s.name / kind).is_dir() for s in subfolders(root) if _SEQUENCE.fullmatch(s.name))


def _find_lists(*folders: Path) -> dict[str, Path]:
    """Return the list of each split, which lie in one of the folders, the one above, or one called ...split..."""
    for folder in dict.fromkeys([*folders, folders[-1].parent]):
        beside = [c for c in subfolders(folder) if "split" in c.name.lower()]
        for place in (folder, *beside):
            found = {split: place / f"{split}.lst" for split in ("train", "val", "test")}
            found = {split: path for split, path in found.items() if path.is_file()}
            if found:
                return found
    return {}


def _make_part(images: Path, masks: Path | None, path: Path | None, sequence: str = r"\d{5}") -> Part:
    """Return the part of the frames that a list names, or of all; of one sequence, or of all."""
    listed = None if path is None else _read_names(path)

    def files(root: Path, kind: str) -> Files:
        return Files(root, _named(kind, listed), lambda p: bool(re.fullmatch(rf"{sequence}(/{kind})?", p)))

    return Part(
        NAME,
        files(images, _IMAGES),
        files(masks, _MASKS) if masks else None,
        partial=path is None,
        listed=listed,
        only=f"RELLIS-3D's {path.name}" if path else "",
    )


def _named(kind: str, listed: frozenset[str] | None) -> Callable[[str], str | None]:
    pattern = re.compile(rf"(\d{{5}})/{kind}/([^/]+)")

    def name(path: str) -> str | None:
        match = pattern.fullmatch(path)
        found = f"{match[1]}/{match[2]}" if match else None
        return found if listed is None or found in listed else None

    return name


def _read_names(path: Path) -> frozenset[str]:
    """Return the names of the frames that a list demands."""
    try:
        rows = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"list {path} cannot be read: {error}; fetch it again") from error
    names = set()
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        match = re.fullmatch(rf"(\d{{5}})/{_IMAGES}/([^/]+)\.\w+", row.split()[0].replace("\\", "/"))
        if match is None:
            raise DataError(
                f"list {path}, line {number}: '{row.split()[0]}' is not <sequence>/{_IMAGES}/<frame>; fetch it again"
            )
        names.add(f"{match[1]}/{match[2]}")
    return frozenset(names)
