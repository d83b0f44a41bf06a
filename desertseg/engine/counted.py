"""What an evaluation counted on each frame, read back from its folder; and which folders belong together."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.errors import UserError, suggest
from desertseg.metrics.tally import Tally

_AGAIN = "evaluate it again"


@dataclass(frozen=True, eq=False)
class Counted:
    """One evaluation folder.

    Attributes:
        folder: where it is.
        details: the content of evaluation.json.
        keys: one a frame: its name, and which of that name it is.
        scenes: (N,) the scene of each frame.
        confusion, unanswered: integers (N, C, C) and (N, C), as in `Scores`.
    """

    folder: Path
    details: dict[str, Any]
    keys: tuple[tuple[str, int], ...]
    scenes: np.ndarray
    confusion: np.ndarray
    unanswered: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(c["name"] for c in self.details["label_map"]["classes"])

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What makes two label maps count alike: names and raw ids in order, and what is ignored."""
        labels = self.details["label_map"]
        return [(c["name"], c["ids"]) for c in labels["classes"]], sorted(labels["ignore"])

    @cached_property
    def pixels(self) -> np.ndarray:
        """int64 (N, C): each frame's pixels of each class in the truth."""
        return Tally.of(self.confusion, self.unanswered).pixels

    def select(self, keys: Sequence[tuple[str, int]]) -> Counted:
        """Return the counts of these frames alone, in their order."""
        at = {key: row for row, key in enumerate(self.keys)}
        rows = [at[key] for key in keys]
        counts = self.scenes[rows], self.confusion[rows], self.unanswered[rows]
        return Counted(self.folder, self.details, tuple(keys), *counts)


def read_counted(folder: Path) -> Counted:
    """Return what an evaluation folder holds.

    Raises:
        UserError: a file that is missing, damaged or of another layout.
    """
    try:
        details = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        with (folder / "frames.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names, scenes = arrays["names"].tolist(), arrays["scenes"]
            confusion, unanswered = arrays["confusion"].astype(np.int64), arrays["unanswered"].astype(np.int64)
        classes = len(details["label_map"]["classes"])
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} does not exist; {_AGAIN}, its numbers are of an older version") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}; {_AGAIN}") from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder} holds a damaged evaluation ({type(error).__name__}: {error}); {_AGAIN}") from error
    if not names:
        raise UserError(f"{folder} holds an evaluation of no frame; {_AGAIN}")
    count = len(names)
    if (scenes.shape, confusion.shape, unanswered.shape) != ((count,), (count, classes, classes), (count, classes)):
        raise UserError(f"{folder / 'frames.npz'} does not fit evaluation.json beside it; {_AGAIN}")
    seen: Counter[str] = Counter()
    keys = []
    for name in names:
        keys.append((name, seen[name]))
        seen[name] += 1
    return Counted(folder, details, tuple(keys), scenes, confusion, unanswered)


def choose_folders(paths: Sequence[Path], evaluation: str | None = None) -> list[Path]:
    """Return one evaluation folder for each path: itself, or the one of a run that all the runs have.

    Args:
        paths: evaluation folders and run folders.
        evaluation: the name of the evaluation folder to take of each run.

    Raises:
        UserError: a path without an evaluation, none in common, or several and none chosen.
    """
    found = [_list_evaluations(path) for path in paths]
    several = [set(names) for path, names in zip(paths, found, strict=True) if not _is_evaluation(path)]
    if not several:
        return [next(iter(names.values())) for names in found]
    common = sorted(set.intersection(*several))
    given = {name for path, names in zip(paths, found, strict=True) if _is_evaluation(path) for name in names}
    if evaluation is not None:
        if evaluation not in common:
            raise UserError(
                f"not every run has an evaluation '{evaluation}'{suggest(evaluation, common)}; "
                f"in common they have {', '.join(common) or 'none'}"
            )
        common = [evaluation]
    elif given & set(common):
        common = sorted(given & set(common))
    if not common:
        each = "; ".join(f"{path} has {', '.join(sorted(names))}" for path, names in zip(paths, found, strict=True))
        raise UserError(f"the runs have no evaluation in common: {each}; evaluate them on the same data")
    if len(common) > 1:
        raise UserError(
            f"the runs have several evaluations in common, {', '.join(common)}; choose by --evaluation NAME"
        )
    return [
        next(iter(names.values())) if _is_evaluation(path) else names[common[0]]
        for path, names in zip(paths, found, strict=True)
    ]


def _is_evaluation(path: Path) -> bool:
    return (path / "evaluation.json").is_file()


def _list_evaluations(path: Path) -> dict[str, Path]:
    """Return {name: folder} of the evaluations of a run folder, or of the one that `path` is."""
    if _is_evaluation(path):
        return {path.resolve().name: path}
    if not path.is_dir():
        raise UserError(f"{path} {'is a file' if path.exists() else 'does not exist'}; give the folders of runs")
    found = {p.parent.name: p.parent for p in sorted(path.glob("evaluation/*/evaluation.json"))}
    if not found:
        model = f" --model {path / 'best.keras'}" if (path / "best.keras").exists() else " --model FILE"
        raise UserError(f"{path} holds no evaluation; make one: desertseg evaluate{model} --data DIR")
    return found
