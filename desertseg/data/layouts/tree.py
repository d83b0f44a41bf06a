"""Walk folders: what lies in one, and which images lie below it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.read import IMAGE_SUFFIXES

_HIDDEN = (".", "__")  # such as .thumbnails and __MACOSX


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name.

    Raises:
        DataError: it may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read: {error.strerror}; check that you may read it") from error


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name, without hidden ones."""
    return [folder / e.name for e in list_folder(folder) if e.is_dir() and not e.name.startswith(_HIDDEN)]


def named_subfolders(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by their name in lower case."""
    return {child.name.lower(): child for child in subfolders(folder)}


def has_images(folder: Path) -> bool:
    """Whether images lie in the folder itself."""
    return any(is_image(e.name) for e in list_folder(folder))


def is_image(name: str) -> bool:
    """Whether a file is named like an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")


def walk_images(
    folder: Path, enter: Callable[[str], bool] = lambda _: True, prefix: str = ""
) -> Iterator[tuple[str, Path]]:
    """Yield (path below `folder` without its suffix, path) of every image at or below it.

    Args:
        folder: where to begin.
        enter: whether to look into a subfolder, by its path below `folder`.
        prefix: of the paths that are yielded.
    """
    for entry in list_folder(folder):
        if is_image(entry.name):
            yield prefix + os.path.splitext(entry.name)[0], folder / entry.name
        elif not entry.name.startswith(_HIDDEN) and entry.is_dir() and enter(prefix + entry.name):
            yield from walk_images(folder / entry.name, enter, f"{prefix}{entry.name}/")
