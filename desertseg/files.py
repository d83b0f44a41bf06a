"""Writing files so that a reader sees the old one or the whole new one, and refusing to bury what is there."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path

from desertseg.errors import UserError

_TEMPORARY = re.compile(r"\..+-[a-z0-9_]{8}(\.\w+)?")  # as `replacing` has mkstemp name them


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` with the same suffix; on success it is renamed to `path`, else removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    os.chmod(name, 0o644)  # mkstemp makes files that only their owner can read
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files of `replacing` that a killed process left below a folder."""
    for path in Path(folder).rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_folder(out: str | Path, overwrite: bool) -> None:
    """Refuse a folder that may not be written to.

    Raises:
        UserError: it is a file, or holds anything and `overwrite` is false.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give a folder")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UserError(f"{out} exists and is not empty; choose another --out, or --overwrite to replace what it holds")


def prepare_folder(out: str | Path, overwrite: bool) -> Path:
    """Return `out` as a folder that exists and may be written to.

    Raises:
        UserError: as `check_folder`, or the folder cannot be made.
    """
    check_folder(out, overwrite)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made: {error.strerror}; choose another --out") from error
    return out


def cache_folder() -> Path:
    """Return where what can be computed or fetched again is kept: `$DESERTSEG_CACHE`, or else `~/.cache/desertseg`."""
    chosen = os.environ.get("DESERTSEG_CACHE")
    if chosen:
        return Path(chosen)
    with contextlib.suppress(RuntimeError):  # a container's user may have no home
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "desertseg"
    return Path(tempfile.gettempdir()) / "desertseg"


def list_shipped(folder: Traversable, suffix: str) -> list[str]:
    """Return the names, without `suffix`, of the files of a kind that the package ships in a folder, sorted."""
    return sorted(f.name.removesuffix(suffix) for f in folder.iterdir() if f.name.endswith(suffix))
