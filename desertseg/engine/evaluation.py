"""What an evaluation found, as one dictionary: the content of evaluation.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.engine.scoring import BANDS, Scoring
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.metrics import Scores
from desertseg.metrics.boundary import boundary_scores
from desertseg.metrics.calibration import calibration_dict
from desertseg.metrics.intervals import class_intervals
from desertseg.metrics.means import TEST_DESERT_LACKS, Mean, compute_means
from desertseg.metrics.safety import safety

_PAIRS = 10
_OF_THE_WHOLE = ("confusion", "definition", "definition_all")  # not repeated for each scene
_LACKING_IDS = (550, 600, 700)  # Falcon's ids that its test desert does not show


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        scores: every score that follows from one confusion matrix int64 (C, C).
        labels: the label map.
        frames: how many frames were scored.
        folder: where the files were written, None if nowhere.
        images_per_second: whole throughput after the first batch, reading included; nan if it is the only one.
        means: every mean that people take, each with its definition and intervals.
        details: the content of evaluation.json: all of the above, and scenes, bands, borders, calibration, safety.
        failures: (file, reason) of every frame that could not be scored.
    """

    scores: Scores
    labels: LabelMap
    frames: int
    folder: Path | None
    images_per_second: float
    means: tuple[Mean, ...] = ()
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    failures: tuple[tuple[Path, str], ...] = ()

    @property
    def definition(self) -> str:
        """What `scores.miou` is a mean of."""
        return self.scores.definition


class UnwrittenError(UserError):
    """The files of an evaluation could not be written, such as on a full disk.

    Attributes:
        evaluation: what was measured, so that the work is not lost.
    """

    def __init__(self, message: str, evaluation: Evaluation) -> None:
        super().__init__(message)
        self.evaluation = evaluation


def summarise(scoring: Scoring, notes: Sequence[str] = ()) -> tuple[list[Mean], dict[str, Any]]:
    """Return (every mean, all that was counted as plain JSON values).

    Args:
        scoring: a finished one.
        notes: a remark on each of its alternatives.
    """
    labels, scores = scoring.labels, scoring.scores
    confusions, unanswered = np.stack(scoring.confusions), np.stack(scoring.unanswered)
    means = compute_means(confusions, scoring.scenes, labels.names, unanswered=unanswered, without=_lacking(labels))
    return means, {
        **scores.to_dict(),
        "means": [mean.to_dict() for mean in means],
        "class_intervals": class_intervals(confusions, scoring.scenes, labels.names, unanswered=unanswered),
        "scenes": _by_scene(scoring, confusions, unanswered),
        "bands": [{"name": name, **_brief(scoring.scores_of(b))} for name, b in zip(BANDS, scoring.bands, strict=True)],
        "boundary": None if scoring.boundary is None else boundary_scores(scoring.boundary, labels.names),
        "calibration": None if scoring.calibration is None else calibration_dict(scoring.calibration, scoring.sample),
        "safety": safety(scores.confusion, labels, scores.unanswered),
        "handling": _handling(scoring, notes),
        "confused_pairs": _confused_pairs(scores),
        "frames": len(scoring.names),
        "pixels": int(scores.pixels.sum()),
        "labels": labels.name,
        "label_map": labels.to_dict(),
    }


def _lacking(labels: LabelMap) -> list[str]:
    """Return the classes that Falcon's test desert does not show, by raw id where a map has other names for them."""
    found = [c.name for c in labels.classes if set(c.ids) & set(_LACKING_IDS)]
    return found if set(found) & set(TEST_DESERT_LACKS) else []


def _brief(scores: Scores) -> dict[str, Any]:
    values = scores.to_dict()
    return {"pixels": int(scores.pixels.sum())} | {k: values[k] for k in ("miou", "pixel_accuracy", "per_class_iou")}


def _by_scene(scoring: Scoring, confusions: np.ndarray, unanswered: np.ndarray) -> dict[str, Any]:
    found, of_frames = {}, np.array(scoring.scenes)
    for scene in sorted(set(scoring.scenes)):
        own = of_frames == scene
        total = confusions[own].sum(axis=0, dtype=np.int64), unanswered[own].sum(axis=0, dtype=np.int64)
        scores = Scores(total[0], scoring.labels.names, total[1])
        every = {key: value for key, value in scores.to_dict().items() if key not in _OF_THE_WHOLE}
        found[scene] = {"frames": int(own.sum()), **every, **_brief(scores)}
    return found


def _handling(scoring: Scoring, notes: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return how answers under other priors score, all means over the same classes: those that the truth has."""
    if not scoring.alternatives:
        return None
    rows = [("none", "as the model answers", scoring.bands.sum(axis=0))]
    rows += list(zip(scoring.alternatives, notes, scoring.other, strict=True))
    return [{"name": name, "note": note, **_brief(scoring.scores_of(counts))} for name, note, counts in rows]


def _confused_pairs(scores: Scores) -> list[dict[str, Any]]:
    wrong, names = scores.confusion * ~np.eye(scores.num_classes, dtype=bool), scores.names or ()
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    pairs = zip(*(index.tolist() for index in np.unravel_index(order, wrong.shape)), strict=True)
    return [
        {
            "truth": names[row],
            "predicted": names[column],
            "pixels": int(wrong[row, column]),
            "share_of_truth": float(wrong[row, column] / scores.pixels[row]),
        }
        for row, column in pairs
        if wrong[row, column]
    ]
