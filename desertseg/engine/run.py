"""The run folder: what a training leaves behind, file by file."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import shutil
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import tomli_w

from desertseg import __version__
from desertseg.engine.compiled import device_name
from desertseg.engine.recipe import Recipe
from desertseg.files import check_folder, write_text
from desertseg.labels import LabelMap

_FILES = ("best.keras", "last.keras", "history.csv", "history.json", "log.txt")
_FOLDERS = ("plots", "evaluation")


class RunFolder:
    """Writes the files of one run: recipe.toml, labels.toml, environment.json, history.csv and .json, log.txt.

    Nothing is written before the first epoch has ended: data that cannot be read shows by then, and neither leaves a
    folder behind nor costs the run that was to be overwritten.

    Args:
        out: the folder.
        recipe, labels, data: what the run is made of.
        overwrite: replace the run that the folder holds.

    Raises:
        UserError: the folder holds something and `overwrite` is false.
    """

    def __init__(
        self, out: str | Path, recipe: Recipe, labels: LabelMap, data: str, *, overwrite: bool = False
    ) -> None:
        check_folder(out, overwrite)
        self.path = Path(out)
        self.history: list[dict[str, Any]] = []
        self._recipe, self._labels = recipe, labels
        self._environment = _environment() | {"data": data}
        self._log: list[str] = []

    def log(self, text: str) -> None:
        """Add a line to log.txt."""
        self._log.append(text)
        if self.history:
            write_text(self.path / "log.txt", "\n".join(self._log) + "\n")

    def record(self, row: dict[str, Any]) -> None:
        """Add an epoch to history.json (all of it) and history.csv (its plain numbers)."""
        if not self.history:
            self._begin()
        self.history.append(row)
        write_text(self.path / "history.json", json.dumps(self.history, indent=1) + "\n")
        columns = [k for k, v in row.items() if not isinstance(v, dict)]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self.path / "history.csv", text.getvalue())

    def _begin(self) -> None:
        """Clear what an earlier run left here, and write what this one is made of."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for name in _FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        write_text(self.path / "recipe.toml", tomli_w.dumps(self._recipe.to_dict()))
        write_text(self.path / "labels.toml", tomli_w.dumps(self._labels.to_dict()))
        write_text(self.path / "environment.json", json.dumps(self._environment, indent=1) + "\n")


def _environment() -> dict[str, Any]:
    packages = ["keras", keras.backend.backend(), "numpy", "opencv-python-headless"]
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "desertseg": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backend": keras.backend.backend(),
        "device": device_name(),
        "cpus": os.cpu_count(),
        "packages": {name: version(name) for name in packages},
    }
