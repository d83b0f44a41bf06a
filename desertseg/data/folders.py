"""Find frames: those of a split of a data folder in any known layout, or of a list; or images alone."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.frame import Frame
from desertseg.data.layouts import Layout, recognise
from desertseg.data.layouts.plain import IMAGE_FOLDERS
from desertseg.data.lists import LIST_SUFFIXES, read_list, recognise_lists
from desertseg.data.read import IMAGE_SUFFIXES
from desertseg.labels import LabelMap, load_labels

__all__ = ["IMAGE_FOLDERS", "Frame", "find_frames", "find_images", "find_labels", "find_layout"]


def find_frames(data: str | Path, split: str | None = None, *, masks: bool = True) -> list[Frame]:
    """Return the frames of a data folder, sorted by name.

    Args:
        data: a folder in one of the layouts of `desertseg datasets`, at any depth below folders that hold nothing else;
            or a folder of lists, see `desertseg.data.lists`.
        split: "train", "val", "test", or None for all frames; or a list file, such as "lists/val.txt", seen from here
            or from the data folder. A folder without split folders is cut by this rule: of each scene the last fifth
            by name, at least one frame, is "val", and the rest is "train". So no val frame lies between train frames
            of one drive.
        masks: whether each frame must have a mask and each mask a frame; otherwise masks are taken where they are.

    Raises:
        DataError: no such folder or split, nothing in it, a stem twice, or an image or a mask without its partner.
    """
    if split is not None and str(split).endswith(LIST_SUFFIXES):
        root = _checked_folder(data)
        path = Path(split).expanduser()
        beside = root / path
        return read_list(beside if beside.is_file() and not path.is_file() else path, root, masks=masks)
    return find_layout(data).frames(split, masks=masks)


def find_layout(data: str | Path) -> Layout:
    """Return the layout of a data folder: its name, its splits, and the label map of such data.

    Raises:
        DataError: no such folder, nothing in it, or several data sets.
    """
    root = _checked_folder(data)
    layout = recognise_lists(root) or recognise(root)
    if layout is None:
        raise DataError(
            f"data folder {root} holds no images; expected Color_Images + Segmentation, or images + masks, with or "
            "without train and val above them, a folder of images alone, or a data set of `desertseg datasets`"
        )
    return layout


def find_labels(data: str | Path, labels: str | Path | LabelMap | None = None) -> tuple[LabelMap, str]:
    """Return (the label map to read a data folder with, a line for people that says which it is and why).

    Args:
        data: the folder.
        labels: the user's choice; None takes that of the folder's layout, or else "falcon".

    Raises:
        DataError: as `find_layout`.
        LabelError: no such label map.
    """
    if labels is not None:
        chosen = load_labels(labels)
        return chosen, f"labels: {chosen.name}, {chosen.num_classes} classes, as asked"
    layout = find_layout(data)
    chosen = load_labels(layout.labels or "falcon")
    why = f"as {data} is laid out like {layout.labels}" if layout.labels else "the default; --labels takes another"
    return chosen, f"labels: {chosen.name}, {chosen.num_classes} classes, {why}"


def find_images(sources: Iterable[str | Path]) -> list[Path]:
    """Return image files in the order of `sources`, each once.

    Args:
        sources: files (taken as they are), folders (their images, by name; of a data folder the images of all its
            splits) and glob patterns.

    Raises:
        DataError: a source that matches nothing.
    """
    found: dict[Path, Path] = {}
    for source in [sources] if isinstance(sources, (str, Path)) else sources:
        images = list(_expand(Path(source).expanduser()))
        if not images:
            raise DataError(f"no images in {source}; give image files, folders of images or glob patterns")
        for image in images:
            found.setdefault(image.resolve(), image)
    return list(found.values())


def _expand(source: Path) -> Iterator[Path]:
    if os.path.isfile(source):
        yield source
    elif os.path.isdir(source):
        layout = recognise(source)
        parts = [] if layout is None else [layout.whole] if layout.whole else layout.parts.values()
        for part in parts:
            for paths in part.images.scan().values():
                yield from paths
    elif glob.has_magic(str(source)):
        for match in sorted(glob.glob(str(source), recursive=True)):
            path = Path(match)
            if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
                yield from _expand(path)
    else:
        raise DataError(f"{source} does not exist; give image files, folders of images or glob patterns")


def _checked_folder(data: str | Path) -> Path:
    root = Path(data).expanduser()
    if os.path.isfile(root):  # unlike Path's methods, these raise nothing where a parent may not be read
        raise DataError(f"data {root} is a file; expected a folder of frames")
    if not os.path.isdir(root):
        raise DataError(f"data folder {root} does not exist or may not be read; check the path")
    return root
