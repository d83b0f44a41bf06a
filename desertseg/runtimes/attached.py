"""A text carried by a file whose own format has no room for one: as a ZIP archive after its last byte.

A reader of such a format starts at the first byte and stops where its own content ends, and a reader of ZIP archives
starts at the last: `unzip model.tflite desertseg.json` works. LiteRT's own metadata is carried so.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from desertseg.runtimes.facts import KEY

_NAME = f"{KEY}.json"


def attach(path: Path, text: str, **others: str) -> None:
    """Append an archive with desertseg.json, and with other texts under their names, to a file."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_NAME, text)
        for name, content in others.items():
            archive.writestr(f"{name}.txt", content)


def read_attached(path: Path) -> str | None:
    """Return the text that `attach` appended, None where there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(_NAME).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError):
        return None
