"""Two models on the same frames: the paired difference of every class, and whether it can be told from chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.engine.counted import Counted, choose_folders, read_counted
from desertseg.errors import UserError
from desertseg.files import write_text
from desertseg.metrics.intervals import Interval, as_interval, count_showing, describe_intervals, paired_difference
from desertseg.metrics.means import pack, statistics
from desertseg.metrics.tally import Tally

VERDICT_RULE = (
    "better or worse where the intervals of the difference, by frame and by scene, lie on one side of zero; "
    "of twenty differences that are none, one may be called all the same"
)
_MEANS = {
    "miou": "mIoU",
    "miou_image": "mIoU, per image",
    "pixel_accuracy": "pixel accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
}


@dataclass(frozen=True)
class Difference:
    """One score of a run beside the baseline's.

    Attributes:
        name: of the class, whose IoU it is, or of the mean.
        baseline, value: the two scores over all common frames.
        by_frame, by_scene: 95 % intervals of value - baseline; None where fewer than two frames or scenes show the
            class.
    """

    name: str
    baseline: float
    value: float
    by_frame: Interval | None
    by_scene: Interval | None

    @property
    def difference(self) -> float:
        return self.value - self.baseline

    @property
    def verdict(self) -> str:
        """What can be said: "better" or "worse" where every interval lies on that side of zero, or "cannot tell"."""
        intervals = [ends for ends in (self.by_frame, self.by_scene) if ends is not None]
        if intervals and all(low > 0 for low, _ in intervals):
            return "better"
        if intervals and all(high < 0 for _, high in intervals):
            return "worse"
        return "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "baseline": self.baseline,
            "value": self.value,
            "difference": self.difference,
            "by_frame": None if self.by_frame is None else list(self.by_frame),
            "by_scene": None if self.by_scene is None else list(self.by_scene),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class RunDifference:
    """One run beside the baseline.

    Attributes:
        folder: its evaluation folder.
        classes: the IoU of every class that the truth of the common frames shows, in index order.
        means: {key: the mean}.
    """

    folder: Path
    classes: tuple[Difference, ...]
    means: dict[str, Difference]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        baseline: the first run's evaluation folder.
        runs: the others, in order.
        frames, pixels: how much all of them have in common.
        left_out: how many frames some have and others lack.
        intervals: what the intervals rest on, in words.
    """

    baseline: Path
    runs: tuple[RunDifference, ...]
    frames: int
    pixels: int
    left_out: int
    intervals: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "baseline": str(self.baseline),
            "frames": self.frames,
            "pixels": self.pixels,
            "left_out": self.left_out,
            "intervals": self.intervals,
            "verdict": VERDICT_RULE,
            "runs": [
                {
                    "run": str(run.folder),
                    "classes": {row.name: row.to_dict() for row in run.classes},
                    "means": {key: row.to_dict() for key, row in run.means.items()},
                }
                for run in self.runs
            ],
        }


def compare(
    runs: Sequence[str | Path], *, evaluation: str | None = None, out: str | Path | None = None, seed: int = 0
) -> Comparison:
    """Return how runs differ from the first one, on the frames that all of them were scored on.

    Args:
        runs: two or more run folders, or evaluation folders; the first is the baseline.
        evaluation: which evaluation of the run folders, such as "falcon-val", where they have several in common.
        out: a JSON file to write the result to.
        seed: of the bootstrap.

    Raises:
        UserError: a folder without an evaluation, label maps that differ, no frame in common, or two truths of one.
    """
    if len(runs) < 2:
        raise UserError("give two or more runs to compare; the first is the baseline")
    counted = [read_counted(folder) for folder in choose_folders([Path(run) for run in runs], evaluation)]
    every = set.intersection(*(set(each.keys) for each in counted))
    common = [key for key in counted[0].keys if key in every]
    for other in counted[1:]:
        _check_labels(counted[0], other)
    if not common:
        names = " and ".join(f"{each.folder} ({len(each.keys)} frames such as {each.keys[0][0]})" for each in counted)
        raise UserError(f"{names} have no frame in common; evaluate them on the same data")
    left_out = len(set().union(*(each.keys for each in counted))) - len(common)
    baseline, *others = (each.select(common) for each in counted)
    for other in others:
        _check_truth(baseline, other)
    comparison = Comparison(
        baseline=baseline.folder,
        runs=tuple(_differ(baseline, other, seed) for other in others),
        frames=len(common),
        pixels=int(baseline.pixels.sum()),
        left_out=left_out,
        intervals=describe_intervals(baseline.scenes.tolist()),
    )
    if out is not None:
        try:
            write_text(out, json.dumps(comparison.to_dict(), indent=1, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}; choose another file") from error
    return comparison


def _check_labels(first: Counted, other: Counted) -> None:
    if first.meaning == other.meaning:
        return
    one, two = (each.details["label_map"]["name"] for each in (first, other))
    differ = [f"{a} / {b}" for a, b in zip(first.names, other.names, strict=False) if a != b]
    where = f" (class {differ[0]})" if differ else ""
    raise UserError(
        f"{first.folder} counts the classes of label map '{one}', {other.folder} those of '{two}'{where}; "
        "only runs of one label map can be compared"
    )


def _check_truth(first: Counted, other: Counted) -> None:
    """Refuse counts that were taken on other masks: of each frame both must know the same pixels of every class."""
    differ = np.argwhere(first.pixels != other.pixels)
    if not len(differ):
        return
    row, index = differ[0]
    frames = len(set(differ[:, 0].tolist()))
    at = [str(each.details.get("at", "native")) for each in (first, other)]
    why = f"one was scored at {at[0]}, the other at {at[1]} size" if at[0] != at[1] else "the masks are not the same"
    name, label = first.keys[row][0], first.names[index]
    raise UserError(
        f"frame {name} has {first.pixels[row, index]:,} pixels of {label} in {first.folder}, but "
        f"{other.pixels[row, index]:,} in {other.folder} ({frames} frames differ): {why}; evaluate both alike"
    )


def _differ(baseline: Counted, other: Counted, seed: int) -> RunDifference:
    """Return one run's differences on frames that both have in one order."""
    first, second = (pack(each.confusion, each.unanswered) for each in (baseline, other))
    values = [_scores(counts.sum(axis=0, keepdims=True), None)[0] for counts in (first, second)]
    num_classes = len(baseline.names)
    groups = {"by_frame": None, "by_scene": baseline.scenes.tolist()}
    ends = {kind: paired_difference(first, second, group, _scores, seed=seed) for kind, group in groups.items()}
    shown = {kind: count_showing(baseline.pixels, group) for kind, group in groups.items()}

    def row(index: int, name: str) -> Difference:
        told = {
            kind: as_interval(ends[kind], index) if index >= num_classes or shown[kind][index] > 1 else None
            for kind in groups
        }
        return Difference(name, float(values[0][index]), float(values[1][index]), **told)

    present = np.flatnonzero(baseline.pixels.sum(axis=0))
    return RunDifference(
        other.folder,
        tuple(row(int(i), baseline.names[i]) for i in present),
        {key: row(num_classes + i, name) for i, (key, name) in enumerate(_MEANS.items())},
    )


def _scores(sums: np.ndarray, whole: np.ndarray | None) -> np.ndarray:
    """Return each class's IoU, then the means, (R, C + 4), of sums of what `pack` returned."""
    hits, pixels, predicted, _ = np.split(sums[:, :-2], 4, axis=1)
    means = statistics(sums, whole=whole)
    iou = np.where(pixels > 0, Tally(hits, pixels, predicted).iou, np.nan)
    return np.concatenate([iou, np.stack([means[key] for key in _MEANS], axis=1)], axis=1)
