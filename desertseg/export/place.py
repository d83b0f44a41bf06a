"""Putting an export into its place once it is good: a file, two that belong together, or a folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desertseg.errors import UserError
from desertseg.runtimes import FORMATS, find_format


def check_place(out: str | Path, format: str, overwrite: bool) -> Path:
    """Return `out` as a path that this format may be written to.

    Raises:
        UserError: another suffix than the format's, something is there already, or nothing can be written there.
    """
    out, suffix = Path(out), FORMATS[format].suffix
    if suffix and out.suffix.lower() != suffix:
        raise UserError(
            f"--out {out} is no name of a file in {format}, which ends with {suffix}; give {out.stem}{suffix}"
        )
    if not suffix and out.suffix.lower() in {its.suffix for its in FORMATS.values() if its.suffix}:
        raise UserError(f"--out {out} is the name of a file, and a SavedModel is a folder; give {out.with_suffix('')}")
    found = [path for path in _files(out, format) if path.exists() or path.is_symlink()]
    if found and not overwrite:
        raise UserError(f"{found[0]} exists; choose another --out, or --overwrite to replace it")
    for path in found:
        if path.is_dir() != (not suffix) or (not suffix and find_format(path) != format and any(path.iterdir())):
            raise UserError(f"{path} is something else than an export in {format}; choose another --out")
    return out


@contextmanager
def placing(out: Path, format: str) -> Iterator[Path]:
    """Yield a path in a new folder beside `out`, of the same name; on success what lies there is moved to `out`.

    Raises:
        UserError: nothing can be written beside `out`.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        held = tempfile.TemporaryDirectory(prefix=f".{out.stem}-", dir=out.parent)
    except OSError as error:
        raise UserError(f"--out {out} cannot be written: {error.strerror}; choose another place") from error
    with held as folder:
        made = Path(folder) / out.name
        yield made
        for source, target in zip(_files(made, format), _files(out, format), strict=True):
            if target.is_dir() and not target.is_symlink():
                target.rename(Path(folder) / "replaced")  # removed with the folder
            with contextlib.suppress(FileNotFoundError):
                source.chmod(0o755 if source.is_dir() else 0o644)
            os.replace(source, target)


def _files(path: Path, format: str) -> list[Path]:
    """Return what an export consists of; the part that makes it one comes last."""
    return [path.with_suffix(".bin"), path] if format == "openvino" else [path]
