"""Where else the history of a run is told: TensorBoard, Weights & Biases, MLflow."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from desertseg.engine.events import EventFile
from desertseg.engine.history import scalars
from desertseg.errors import UserError, suggest
from desertseg.files import write_text

_REMEMBERED = "loggers.json"  # the runs' names elsewhere, so that a resumed run goes on with them
# What ends no training, beside a service's own errors: a disk or a network (requests' errors are OSErrors), an answer
# or a setting that the service's client cannot use, a package that is there and cannot be imported.
_FAILURES = (OSError, RuntimeError, ValueError, ImportError)


class Logger:
    """Tells each epoch to one service; nothing is opened before the first one.

    A service that fails, as one that is out of reach, ends no training: `problem` says so and it is told no more.

    Attributes:
        failures: the exceptions that this is said of. `_start` adds the base class of the service's own to them.
    """

    name = ""
    failures: tuple[type[Exception], ...] = _FAILURES

    def __init__(self, folder: Path, recipe: Mapping[str, Any], epochs: int) -> None:
        self.folder, self.recipe, self.epochs = folder, recipe, epochs
        self.problem: str | None = None
        self._open = False

    def log(self, epoch: int, row: Mapping[str, Any]) -> None:
        """Tell the numbers of a history row."""
        self._attempt(self._log, epoch, scalars(row))

    def close(self) -> None:
        """End the service's own run."""
        if self._open:
            self._attempt(self._close)

    def _attempt(self, action: Any, *arguments: Any) -> None:
        if self.problem:
            return
        try:
            if not self._open:
                self._start()
                self._open = True
            action(*arguments)
        except self.failures as error:
            text = " ".join(str(error).split()) or type(error).__name__
            self.problem = f"{self.name}: {text}; training goes on without it"

    def _start(self) -> None:
        raise NotImplementedError

    def _log(self, epoch: int, values: dict[str, float]) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def _recall(self) -> str | None:
        """Return what the service called this run before it was resumed."""
        path = self.folder / _REMEMBERED
        return json.loads(path.read_text(encoding="utf-8")).get(self.name) if self.epochs and path.is_file() else None

    def _remember(self, run: str) -> None:
        path = self.folder / _REMEMBERED
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_text(path, json.dumps({**known, self.name: run}) + "\n")


class TensorBoardLogger(Logger):
    """Writes tensorboard/ in the run folder: `tensorboard --logdir runs` shows it. TensorBoard need not be here."""

    name = "tensorboard"

    def _start(self) -> None:
        self._file = EventFile(self.folder / "tensorboard", first=self.epochs + 1 if self.epochs else 0)
        if not self.epochs:
            self._file.text(0, "recipe", "```toml\n" + tomli_w.dumps(self.recipe) + "```")

    def _log(self, epoch: int, values: dict[str, float]) -> None:
        values.pop("epoch", None)
        self._file.scalars(epoch, values)

    def _close(self) -> None:
        self._file.close()


class WandbLogger(Logger):
    """Tells Weights & Biases; project and mode come from its own WANDB_ variables."""

    name = "wandb"

    def _start(self) -> None:
        wandb: Any = importlib.import_module("wandb")
        self.failures = (*_FAILURES, wandb.errors.Error)  # the base class of its own
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "desertseg"),
            name=os.environ.get("WANDB_NAME", self.folder.resolve().name),
            dir=str(self.folder),
            config=dict(self.recipe),
            id=self._recall(),
            resume="allow",
        )
        self._remember(self._run.id)

    def _log(self, epoch: int, values: dict[str, float]) -> None:
        self._run.log(values, step=epoch)

    def _close(self) -> None:
        self._run.finish()


class MlflowLogger(Logger):
    """Tells MLflow; server and experiment come from its own MLFLOW_ variables."""

    name = "mlflow"

    def _start(self) -> None:
        self._mlflow: Any = importlib.import_module("mlflow")
        self.failures = (*_FAILURES, self._mlflow.exceptions.MlflowException)  # the base class of its own
        known = self._recall()
        run = self._mlflow.start_run(run_id=known) if known else self._mlflow.start_run(run_name=self._title())
        self._remember(run.info.run_id)
        if not known:
            self._mlflow.log_params(
                {f"{section}.{k}": v for section, values in self.recipe.items() for k, v in values.items()}
            )

    def _title(self) -> str:
        return self.folder.resolve().name

    def _log(self, epoch: int, values: dict[str, float]) -> None:
        self._mlflow.log_metrics({_allowed(k): v for k, v in values.items()}, step=epoch)

    def _close(self) -> None:
        self._mlflow.end_run()


def _allowed(name: str) -> str:
    """Return a metric's name in the letters that MLflow allows."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)


_LOGGERS: dict[str, type[Logger]] = {c.name: c for c in (TensorBoardLogger, WandbLogger, MlflowLogger)}


def open_loggers(names: Sequence[str], folder: str | Path, recipe: Mapping[str, Any], epochs: int = 0) -> list[Logger]:
    """Return a logger for each name; none writes before its first epoch.

    Args:
        names: of "tensorboard", "wandb" and "mlflow".
        folder: the run folder.
        recipe: as `Recipe.to_dict` gives it.
        epochs: how many epochs a resumed run has behind it.

    Raises:
        UserError: another name, or one whose package is not installed.
    """
    for name in names:
        if name not in _LOGGERS:
            raise UserError(f"train.log names '{name}'{suggest(name, _LOGGERS)}; it knows {', '.join(_LOGGERS)}")
        if name != "tensorboard" and importlib.util.find_spec(name) is None:
            raise UserError(f"train.log names '{name}', which is not installed; `pip install {name}`, or leave it out")
    return [_LOGGERS[name](Path(folder), recipe, epochs) for name in dict.fromkeys(names)]
