"""What a run folder or an evaluation folder holds, read for a report."""

from __future__ import annotations

import contextlib
import json
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.errors import UserError
from desertseg.labels import LabelError, LabelMap, load_labels
from desertseg.report.document import Color

OLD = "written by an older version of desertseg, evaluate again"  # why an evaluation lacks what each has today
_GREY: Color = (150, 150, 150)


class ReportError(UserError):
    """A folder from which no report can be made."""


@dataclass(frozen=True)
class EvaluationRecord:
    """One evaluation folder.

    Attributes:
        folder: where it is.
        values: evaluation.json, with precision and recall filled in where an older version left them out.
        frames: names of the scored frames; empty where frames.npz is not there.
        unanswered: pixels of each class that the predictions left without an answer; empty if none can be.
    """

    folder: Path
    values: Mapping[str, Any]
    frames: tuple[str, ...] = ()
    unanswered: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.values["per_class_iou"])

    @cached_property
    def pixels(self) -> dict[str, int]:
        """Pixels of each class in the truth."""
        rows = [int(sum(row)) for row in self.values["confusion"]]
        missing = self.unanswered or (0,) * len(rows)
        return {n: row + lost for n, row, lost in zip(self.names, rows, missing, strict=True)}

    @property
    def total(self) -> int:
        """Pixels of all classes in the truth."""
        return sum(self.pixels.values())

    @cached_property
    def colors(self) -> dict[str, Color]:
        """RGB of each class, grey where no label map is known."""
        found = dict.fromkeys(self.names, _GREY)
        labels = self.label_map
        if labels:
            found |= {n: (int(c[0]), int(c[1]), int(c[2])) for n, c in zip(labels.names, labels.colors, strict=True)}
        return found

    @cached_property
    def label_map(self) -> LabelMap | None:
        """The label map that the evaluation carries, or a shipped one of its name; None if neither is right."""
        with contextlib.suppress(LabelError, TypeError):
            stored = self.values.get("label_map")
            found = LabelMap.from_dict(stored) if stored else load_labels(str(self.values.get("labels", "")))
            if found.names == self.names:
                return found
        return None

    @property
    def title(self) -> str:
        """Data and split, such as "falcon, val"."""
        data = str(self.values.get("data") or self.folder.name).rstrip("/")
        return f"{Path(data).name}, {self.values.get('split') or 'all frames'}"


@dataclass(frozen=True)
class RunRecord:
    """A run folder; what it lacks is empty."""

    folder: Path
    recipe: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    splits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: LabelMap | None = None
    evaluations: tuple[EvaluationRecord, ...] = ()


def read_record(folder: str | Path) -> RunRecord | EvaluationRecord:
    """Return what a run folder or an evaluation folder holds.

    Raises:
        ReportError: it is neither, or a file in it is damaged.
    """
    folder = Path(folder)
    if (folder / "evaluation.json").is_file():
        return read_evaluation(folder)
    if any((folder / name).is_file() for name in ("history.json", "recipe.toml")):
        return _read_run(folder)
    nested = sorted(folder.glob("evaluation/*/evaluation.json"))
    if nested:
        return RunRecord(folder, evaluations=tuple(read_evaluation(path.parent) for path in nested))
    what = "is no run folder and no evaluation folder" if folder.is_dir() else "does not exist"
    raise ReportError(
        f"{folder} {what}; give the folder that `desertseg fit --out` or `desertseg evaluate --out` wrote"
    )


def find_run(folder: Path) -> Path | None:
    """Return the run folder that an evaluation folder lies in, None if it lies elsewhere."""
    run = folder.absolute().parent.parent
    inside = folder.absolute().parent.name == "evaluation" and (run / "recipe.toml").is_file()
    return run if inside else None


def read_evaluation(folder: Path) -> EvaluationRecord:
    """Return an evaluation folder.

    Raises:
        ReportError: evaluation.json is damaged, or lacks what every evaluation has.
    """
    path = folder / "evaluation.json"
    values = _read_json(path)
    lacking = [k for k in ("miou", "per_class_iou", "confusion") if not isinstance(values, dict) or k not in values]
    if lacking:
        raise ReportError(
            f"{path} holds no '{lacking[0]}'; score the model again with `desertseg evaluate --overwrite`"
        )
    confusion = np.array(values["confusion"], np.float64)
    if confusion.shape != (len(values["per_class_iou"]),) * 2:
        raise ReportError(f"{path}: the confusion matrix is not one row and column a class; score the model again")
    for key, axis in (("per_class_precision", 0), ("per_class_recall", 1)):
        if key not in values:
            hits = np.diag(confusion)
            whole = confusion.sum(axis)
            found = [float(h / w) if w else None for h, w in zip(hits, whole, strict=True)]
            values[key] = dict(zip(values["per_class_iou"], found, strict=True))
    return EvaluationRecord(folder, values, *_read_frames(folder / "frames.npz", len(confusion)))


def _read_run(folder: Path) -> RunRecord:
    evaluations = [read_evaluation(p.parent) for p in sorted(folder.glob("evaluation/*/evaluation.json"))]
    environment = _read_json(folder / "environment.json", {})
    own = str(environment.get("data", ""))
    evaluations.sort(key=lambda e: (str(e.values.get("data")) != own, e.values.get("split") != "val"))
    labels = None
    with contextlib.suppress(LabelError):
        labels = load_labels(folder / "labels.toml")
    return RunRecord(
        folder,
        recipe=_read_toml(folder / "recipe.toml"),
        environment=environment,
        history=tuple(_read_json(folder / "history.json", [])),
        splits=_read_json(folder / "data.json", {}).get("frames", {}),
        labels=labels,
        evaluations=tuple(evaluations),
    )


def _read_json(path: Path, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read: {error}; it was cut off, or another program wrote it") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read: {error}; it was cut off, or another program wrote it") from error


def _read_frames(path: Path, classes: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the frames' names, and the unanswered pixels; what cannot be read is no reason to have no report."""
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), np.load(path) as arrays:
        unanswered = arrays["unanswered"].reshape(-1, classes).sum(0, dtype=np.int64)
        return tuple(str(name) for name in arrays["names"]), tuple(unanswered.tolist())
    return (), ()
