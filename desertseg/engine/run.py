"""The run folder: what a training leaves behind, file by file."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
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
from desertseg.files import prepare_folder, write_text
from desertseg.labels import LabelMap


class RunFolder:
    """Writes the files of one run: recipe.toml, labels.toml, environment.json, history.csv and .json, log.txt.

    Raises:
        UserError: the folder holds something and `overwrite` is false.
    """

    def __init__(self, out: str | Path, *, overwrite: bool = False) -> None:
        self.path = prepare_folder(out, overwrite)
        self.history: list[dict[str, Any]] = []
        self._log: list[str] = []

    def describe(self, recipe: Recipe, labels: LabelMap, data: str) -> None:
        """Write what the run is made of, before it starts."""
        write_text(self.path / "recipe.toml", tomli_w.dumps(recipe.to_dict()))
        write_text(self.path / "labels.toml", tomli_w.dumps(labels.to_dict()))
        write_text(self.path / "environment.json", json.dumps(_environment() | {"data": data}, indent=1) + "\n")

    def log(self, text: str) -> None:
        """Add a line to log.txt."""
        self._log.append(text)
        write_text(self.path / "log.txt", "\n".join(self._log) + "\n")

    def record(self, row: dict[str, Any]) -> None:
        """Add an epoch to history.json (all of it) and history.csv (its plain numbers)."""
        self.history.append(row)
        write_text(self.path / "history.json", json.dumps(self.history, indent=1) + "\n")
        columns = [k for k, v in row.items() if not isinstance(v, dict)]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self.path / "history.csv", text.getvalue())


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
