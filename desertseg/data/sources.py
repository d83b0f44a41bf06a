"""What a user asks to have labelled: images, videos, a camera, a list on standard input."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from desertseg.data.errors import DataError
from desertseg.data.folders import find_images

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"})
STDIN = "-"
_CAMERA = re.compile(r"camera:(.*)")


@dataclass(frozen=True)
class Sources:
    """What was found, each once and in the order given.

    Attributes:
        images: image files.
        videos: video files, and cameras by their index.
    """

    images: tuple[Path, ...] = ()
    videos: tuple[Path | int, ...] = ()


def find_sources(sources: str | Path | Iterable[str | Path], stdin: TextIO | None = None) -> Sources:
    """Return the images, videos and cameras that `sources` name.

    Args:
        sources: files, folders and glob patterns, as `find_images` takes them, where a file that is named like a video
            is one; "camera:0" for the first camera; "-" for a list of such sources on standard input, one a line (or
            ended by NUL, as `find -print0` writes them).
        stdin: what "-" reads.

    Raises:
        DataError: a source that matches nothing, or a camera without a number.
    """
    images: dict[Path, Path] = {}
    videos: dict[Path | int, Path | int] = {}
    for source in _spell_out([sources] if isinstance(sources, (str, Path)) else sources, stdin or sys.stdin):
        camera = _CAMERA.fullmatch(str(source))
        if camera:
            videos.setdefault(_camera_index(camera[1]), int(camera[1]))
            continue
        films = list(_find_videos(Path(source).expanduser()))
        for film in films:
            videos.setdefault(film.resolve(), film)
        for image in _find_images(source, optional=bool(films)):
            images.setdefault(image.resolve(), image)
    return Sources(tuple(images.values()), tuple(videos.values()))


def is_video(path: str | Path) -> bool:
    """Whether a file is named like a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def name_video(source: str | Path | int) -> str:
    """Return what the output of a video is called: the file's stem, or "camera0"."""
    return f"camera{source}" if isinstance(source, int) else Path(source).stem


def _spell_out(sources: Iterable[str | Path], stdin: TextIO) -> Iterator[str | Path]:
    """Yield `sources` with "-" replaced by the lines of standard input."""
    for source in sources:
        if str(source) != STDIN:
            yield source
            continue
        text = stdin.read()
        lines = [line for line in (text.split("\0") if "\0" in text else text.splitlines()) if line.strip()]
        if not lines:
            raise DataError("standard input lists no files; give one path a line, such as: ls frames/*.png | ... -")
        if STDIN in lines:
            raise DataError("standard input lists '-', which is standard input itself; leave that line out")
        yield from lines


def _camera_index(text: str) -> int:
    if not text.isdecimal():
        raise DataError(f"'camera:{text}' has no camera number; give camera:0 for the first camera")
    return int(text)


def _find_videos(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if is_video(source) else []
    if source.is_dir():
        return sorted(p for p in source.rglob("*") if is_video(p) and p.is_file() and not _is_hidden(p, source))
    if glob.has_magic(str(source)):
        return sorted(p for p in map(Path, glob.glob(str(source), recursive=True)) if is_video(p) and p.is_file())
    return []


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def _find_images(source: str | Path, optional: bool) -> list[Path]:
    if is_video(source) and optional:
        return []
    try:
        return find_images([source])
    except DataError:
        if optional:  # a folder of videos alone
            return []
        raise
