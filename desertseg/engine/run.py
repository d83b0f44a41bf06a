"""The run folder: what a training leaves behind, file by file."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import tomli_w

from desertseg import __version__
from desertseg.engine.compiled import device_name
from desertseg.engine.history import plain
from desertseg.engine.recipe import Recipe
from desertseg.errors import UserError
from desertseg.files import check_folder, remove_leftovers, write_text
from desertseg.labels import LabelMap

STATE = "state"
_FOLDERS = (STATE, "top", "plots", "evaluation", "tensorboard")  # the state first: none may outlive its recipe
_FILES = (
    "recipe.toml",
    "data.json",
    "best.keras",
    "last.keras",
    "history.csv",
    "history.json",
    "log.txt",
    "loggers.json",
)


class RunFolder:
    """Writes the files of one run: recipe.toml, labels.toml, data.json, environment.json, history.csv, .json, log.txt.

    Nothing is written before the first epoch has ended or `begin` is called: data that cannot be read shows by then,
    and neither leaves a folder behind nor costs the run that was to be overwritten.

    A disk that is full or a folder that turned read-only ends no training: `problem` then says so in one line, and
    what could not be written is written with the next epoch.

    Args:
        out: the folder.
        recipe, labels, data: what the run is made of.
        overwrite: replace the run that the folder holds.
        fingerprint: of the frames, as `fingerprint` gives it.
        write: whether anything is written at all, as by one process of several.

    Attributes:
        path: the folder.
        history: a row an epoch.
        problem: why the last writing failed, None if it did not.
        notes: what `reopen` has to tell, a line each.

    Raises:
        UserError: the folder holds something and `overwrite` is false, or it cannot be made.
    """

    def __init__(
        self,
        out: str | Path,
        recipe: Recipe,
        labels: LabelMap,
        data: str,
        *,
        overwrite: bool = False,
        fingerprint: Mapping[str, Any] | None = None,
        write: bool = True,
    ) -> None:
        self.path, self.write = Path(out), write
        if write:
            check_folder(out, overwrite)
            _refuse_unwritable(self.path)
        self.history: list[dict[str, Any]] = []
        self.problem: str | None = None
        self.notes: list[str] = []
        self.fingerprint = fingerprint
        self.recipe = recipe.to_dict()
        self.labels = labels.to_dict()
        self.environment = describe_environment() | {"data": data}
        self._log: list[str] = []
        self.begun = self._reopened = self._cleared = False

    @classmethod
    def reopen(
        cls, folder: str | Path, epochs: int, *, history: Sequence[dict[str, Any]] | None = None, write: bool = True
    ) -> RunFolder:
        """Return the run of a folder, to go on with it after `epochs` epochs; later rows of its history are dropped.

        Nothing is written before the next epoch has ended or `begin` is called.

        Args:
            folder, write: as in the class.
            epochs: that were run.
            history: their rows, as the state has them; by default those of history.json.

        Raises:
            UserError: the folder holds no run, or what it was made of cannot be read.
        """
        run = cls.__new__(cls)
        run.path, run.write, run.problem, run.notes = Path(folder), write, None, []
        run.begun, run._reopened = False, True
        if not (run.path / "recipe.toml").is_file():
            raise UserError(f"{folder} holds no run (there is no recipe.toml); give the folder that `fit --out` made")
        run.recipe = _read_toml(run.path / "recipe.toml")
        run.labels = _read_toml(run.path / "labels.toml")
        run.fingerprint = run._read("data.json", None)
        run.environment = run._read("environment.json", {})
        run.environment.setdefault("resumed", []).append(describe_environment() | {"epochs": epochs})
        rows = run._read("history.json", []) if history is None else history
        run.history = [row for row in rows if row["epoch"] <= epochs]
        if len(run.history) < epochs:
            run.notes.append(f"{run.path / 'history.json'} has {len(run.history)} of the {epochs} epochs that were run")
        log = run.path / "log.txt"
        run._log = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
        return run

    @property
    def data(self) -> str:
        """The data folder that the run was started on, "" where that is not known."""
        return self.environment.get("data", "")

    def begin(self) -> None:
        """Write what this run is made of, having cleared what an earlier one left here; again it does nothing."""
        if self.begun or not self.write:
            return
        try:
            if self._reopened:
                remove_leftovers(self.path)
                self._write_history()
            else:
                if not self._cleared:  # once: by a second try this run may have written a model
                    self._clear()
                    self._cleared = True
                write_text(self.path / "labels.toml", tomli_w.dumps(self.labels))
            if self.fingerprint is not None:
                write_text(self.path / "data.json", json.dumps(self.fingerprint) + "\n")
            if not self._reopened:
                write_text(self.path / "recipe.toml", tomli_w.dumps(self.recipe))  # the last of what makes a run
            write_text(self.path / "environment.json", json.dumps(self.environment, indent=1) + "\n")
            self.begun = True
            self._write_log()
        except OSError as error:
            self._fail(error)

    def log(self, text: str) -> None:
        """Add a line to log.txt."""
        self._log.append(text)
        self._attempt(self._write_log)

    def record(self, row: Mapping[str, Any]) -> None:
        """Add an epoch to history.json (all of it) and history.csv (its plain numbers)."""
        self.history.append(plain(row))
        self.begin()
        self._attempt(self._write_history)

    def _attempt(self, write: Callable[[], None]) -> None:
        """Write, once there is something to write to."""
        if not self.begun:
            return
        try:
            write()
        except OSError as error:
            self._fail(error)
        else:
            self.problem = None

    def _fail(self, error: OSError) -> None:
        self.problem = f"{self.path} cannot be written: {error.strerror or error}; training goes on"

    def _write_log(self) -> None:
        write_text(self.path / "log.txt", "\n".join(self._log) + "\n")

    def _write_history(self) -> None:
        write_text(self.path / "history.json", json.dumps(self.history, indent=1, allow_nan=False) + "\n")
        columns = dict.fromkeys(k for row in self.history for k, v in row.items() if not isinstance(v, dict))
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self.path / "history.csv", text.getvalue())

    def _clear(self) -> None:
        """Remove what an earlier run left."""
        for name in _FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)

    def _read(self, name: str, default: Any) -> Any:
        """Return what a JSON file of the run holds; a damaged one is noted."""
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return default
        except (OSError, ValueError) as error:
            self.notes.append(f"{path} cannot be read ({error}); going on without it")
            return default


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); without it the run cannot go on, but --weights starts a new one from it"
        ) from error


def _refuse_unwritable(path: Path) -> None:
    """Raise UserError where the folder could not be made or written to, before a training finds out."""
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest} cannot be written to; choose another --out, or change its permissions")


def describe_environment() -> dict[str, Any]:
    """Return what computes here, and when: versions, backend, device, command; plain JSON values."""
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
