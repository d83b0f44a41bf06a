"""All files of a data folder, also those that `find_frames` would refuse: without a partner, or twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.folders import Frame, find_layout
from desertseg.data.layouts import SPLITS, Part
from desertseg.data.layouts.tree import is_image, list_folder, subfolders


@dataclass(frozen=True)
class Gathered:
    """The files of a data folder by split.

    Attributes:
        root: the folder that was given.
        base: the folder below it in which the data set lies: deeper where folders are nested, elsewhere for lists.
        layout: name of the layout.
        labels: the label map that the layout tells, or None.
        splits: frames of each split, by name; the split "" where there are no split folders. A frame whose mask is
            missing has None.
        maskless: splits in which it is no fault that a frame has no mask.
        masks_alone: (split, name, mask file) that have no image.
        doubles: (split, files of one kind and one name); the first of them stands in `splits`.
        strays: files that are no images, among the images and masks.
        lacking: split -> what it lacks, by the data set's own lists.
        uncut: why train and val are not cut from frames without splits; "" where they are.
    """

    root: Path
    base: Path
    layout: str
    labels: str | None = None
    splits: dict[str, list[Frame]] = field(default_factory=dict)
    maskless: set[str] = field(default_factory=set)
    masks_alone: list[tuple[str, str, Path]] = field(default_factory=list)
    doubles: list[tuple[str, list[Path]]] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    uncut: str = ""

    @property
    def count(self) -> int:
        """Frames, with and without masks."""
        return sum(len(frames) for frames in self.splits.values())

    def frames(self) -> Iterator[tuple[str, Frame]]:
        """Yield (split, frame) for every frame."""
        for split, frames in self.splits.items():
            for frame in frames:
                yield split, frame

    def relative(self, path: Path) -> str:
        """Return a file's path below the data set's own folder, as findings name it."""
        return os.path.relpath(path, self.base)


def gather(data: str | Path) -> Gathered:
    """Return the files of a data folder, in any layout that `find_frames` knows, or of a folder of lists.

    Raises:
        DataError: no such folder, no images in it, several data sets, or a list that cannot be used.
    """
    layout = find_layout(data)
    found = Gathered(layout.root, _find_base(layout.root), layout.name, layout.labels, uncut=layout.uncut)
    for split in layout.splits or layout.parts:
        if split in layout.parts:
            _gather_part(found, split, layout.parts[split])
        else:
            found.splits[split] = layout.frames(split, masks=False)
    if not layout.parts:  # lists, of a data folder elsewhere
        base = os.path.commonpath([f.image.parent for _, f in found.frames()] or [found.root])
        found = replace(found, base=Path(base))
    if not found.count:
        raise DataError(f"data folder {found.root} holds no images; check the path")
    return found


def _gather_part(found: Gathered, split: str, part: Part) -> None:
    images = part.images.scan()
    masks = part.masks.scan() if part.masks else {}
    wanted = {name: part.key(name) for name in images}
    none: list[Path | None] = [None]
    found.splits[split] = [
        Frame(paths[0], masks.get(wanted[name], none)[0], name, part.scene(name)) for name, paths in images.items()
    ]
    missing = sorted((part.listed or frozenset()) - images.keys())
    if missing:
        found.lacking[split] = f"{missing[0]}{f' and {len(missing) - 1:,} more' if len(missing) > 1 else ''}"
    elif not images:
        found.lacking[split] = part.only or "all images"
    if part.partial or part.withheld:
        found.maskless.add(split)
    partners = set(wanted.values())
    found.masks_alone.extend((split, key, paths[0]) for key, paths in masks.items() if key not in partners)
    found.doubles.extend((split, paths) for kind in (images, masks) for paths in kind.values() if len(paths) > 1)
    if found.layout in ("falcon", "folders"):
        for files in (part.images, part.masks):
            found.strays.extend(_strays(files.folder) if files else ())


def _strays(folder: Path) -> list[Path]:
    return [
        folder / e.name
        for e in list_folder(folder)
        if e.is_file() and not is_image(e.name) and not e.name.startswith(".")
    ]


def _find_base(root: Path) -> Path:
    """Return the folder below `root` that holds more than one folder: where nested copies end."""
    base = root
    while True:
        below = subfolders(base)
        if len(below) != 1 or below[0].name.lower() in SPLITS or any(is_image(e.name) for e in list_folder(base)):
            return base
        deeper = subfolders(below[0])
        if not deeper:  # a folder of images
            return base
        base = below[0]
