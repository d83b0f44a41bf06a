"""How far a desert is from the one that a model was trained in, and what the model is worth there without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import find_frames
from desertseg.data.appearance import NAMES
from desertseg.engine.checkpoint import load_segmenter
from desertseg.engine.familiarity import LEAST_TRAIN, LEAST_VAL, MOST_FRAMES, spread
from desertseg.engine.gap_folder import write_gap
from desertseg.engine.history import plain
from desertseg.engine.inference import Inference
from desertseg.engine.remember import remember_frames
from desertseg.engine.survey import Survey, survey
from desertseg.errors import UserError
from desertseg.files import check_folder
from desertseg.metrics import Scores
from desertseg.metrics.expectation import separation
from desertseg.metrics.label_shift import estimate_priors, prior_bias
from desertseg.metrics.tally import Tally
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity
from desertseg.terminal import ProgressLine, progress_line

HARDLY = 0.001  # share of the pixels below which a class is hardly there
EXPECTED = (
    "mean IoU over all {classes} classes, one that is not there counting 0: at one end the model's confidence is taken "
    "for the chance that it is right, at the other it is first moved to the class shares that the target seems to "
    "have. A model is mostly too sure of what it has never seen, so the truth may lie below both"
)
_STRANGE = 0.2  # share of the source's frames beyond the threshold above which it is not what was trained on
_STRENGTH = 0.01  # of the pull of estimated class shares towards the training's


@dataclass(frozen=True)
class Gap:
    """What `gap` found.

    Attributes:
        values: everything, as in gap.json.
        folder: where the files were written, None if nowhere.
        failures: (file, reason) of every frame that could not be read, of either desert.
    """

    values: dict[str, Any] = field(repr=False)
    folder: Path | None
    failures: tuple[tuple[Path, str], ...]


def gap(
    model: str | Path | Segmenter,
    source: str | Path,
    target: str | Path,
    *,
    out: str | Path | None = None,
    source_split: str | None = "val",
    target_split: str | None = None,
    frames: int = MOST_FRAMES,
    batch_size: int = 4,
    overwrite: bool = False,
    progress: bool = True,
) -> Gap:
    """Return how far the frames of `target` are from those that a model was trained on.

    Args:
        model: a `.keras` file that `fit` wrote, or a `Segmenter`.
        source: the data that it was trained on; of its held-out split the usual distances and confidence are taken.
        target: frames of another desert. Masks are not needed; where there are some, they say how good the estimates
            were.
        out: folder for gap.json, gap.html, gap.md, frames.csv and pictures; nothing is written without it.
        source_split, target_split: "train", "val", "test", or None for every frame.
        frames: of either at most so many are looked at, evenly from the first to the last.
        batch_size: frames a step.
        overwrite: write into a folder that holds something.
        progress: print a progress bar.

    Raises:
        UserError: a model or data that cannot be used; the message says how to mend it.
    """
    segmenter = load_segmenter(model)
    if segmenter.size is None:
        raise UserError("this model carries no training size, so it is not known how to show it frames")
    if out is not None:
        check_folder(out, overwrite)
    deserts = [
        spread(find_frames(data, split, masks=False), frames)
        for data, split in ((source, source_split), (target, target_split))
    ]
    with progress_line("gap", sum(map(len, deserts)), "images", progress) as line:
        known, note = _known(segmenter, source, line)
        inference = Inference(segmenter)
        home, away = (survey(inference, each, batch_size=batch_size, line=line) for each in deserts)
        origin = {
            "model": str(model) if isinstance(model, (str, Path)) else "a model in memory",
            "source": str(source),
            "source_split": source_split,
            "target": str(target),
            "target_split": target_split,
            "size": list(segmenter.size),
            "labels": segmenter.labels.name,
            "notes": [text for text in (note, home.note, away.note, _judge_source(known, home)) if text],
        }
        values = origin | compare_surveys(segmenter.labels.names, known, home, away)
        if out is not None:
            line.describe("draw")
            write_gap(Path(out), values, inference, known, home, away, overwrite=overwrite)
    return Gap(values, None if out is None else Path(out), (*home.failures, *away.failures))


def compare_surveys(names: Sequence[str], known: Familiarity, home: Survey, away: Survey) -> dict[str, Any]:
    """Return the numbers of gap.json.

    Args:
        names: of the classes.
        known: what the model remembers of its training frames.
        home: held-out frames of the desert that it was trained in.
        away: frames of the other.
    """
    temperature = home.fit_temperature() or known.temperature or 1.0
    near, far = home.distances(known), away.distances(known)
    sure, unsure = home.confidences(temperature), away.confidences(temperature)
    order = np.argsort(-far, kind="stable")
    return {
        "frames": {"training": known.frames, "source": len(home.frames), "target": len(away.frames)},
        "distance": {
            "threshold": known.threshold,
            "source": _spread_of(near, known),
            "target": _spread_of(far, known),
            "separation": separation(near, far),
        },
        "confidence": {
            "temperature": temperature,
            "source": float(sure.mean()),
            "target": float(unsure.mean()),
            "separation": separation(-sure, -unsure),
        },
        "appearance": _compare_appearance(home, away),
        **_expect(names, known, home, away, temperature),
        "least_familiar": [
            {
                "frame": away.frames[k].name,
                "image": str(away.frames[k].image),
                "distance": float(far[k]),
                "confidence": float(unsure[k]),
                "outside": bool(far[k] > known.threshold),
            }
            for k in order[:10]
        ],
    }  # fmt: skip


def _spread_of(distances: np.ndarray, known: Familiarity) -> dict[str, float]:
    return {"median": float(np.median(distances)), "outside": float(known.unfamiliar(distances).mean())}


def _judge_source(known: Familiarity, home: Survey) -> str:
    """Return what to say of a source that is itself unlike the training, else ""."""
    outside = float(known.unfamiliar(home.distances(known)).mean())
    if outside <= _STRANGE:
        return ""
    return (
        f"{outside:.0%} of the source's own frames lie outside of what the model was trained on, where about 1% is "
        "usual: give as --source the data that it was trained on, or read the target's distance beside the training's 1"
    )


def _compare_appearance(home: Survey, away: Survey) -> list[dict[str, Any]]:
    """Return each statistic's mean here and there, and the difference in standard deviations of the source's frames."""
    here, there = np.stack(home.appearance), np.stack(away.appearance)
    spreads = here.std(axis=0)
    found = zip(NAMES, here.mean(axis=0), there.mean(axis=0), spreads, strict=True)
    return [
        {
            "name": name,
            "source": float(a),
            "target": float(b),
            "spread": float(s),
            "shift": float((b - a) / s) if s > 1e-6 else None,
        }
        for name, a, b, s in found
    ]


def _expect(names: Sequence[str], known: Familiarity, home: Survey, away: Survey, temperature: float) -> dict[str, Any]:
    """Return the classes' shares and the scores to expect, and where the target has masks what they really are."""
    prior, believed = known.class_shares, Tally.of(away.expect(temperature))
    shifted: Tally | None = None
    estimated: np.ndarray | None = None
    if prior is not None:
        estimated = estimate_priors(away.probabilities(temperature), prior, strength=_STRENGTH)
        shifted = Tally.of(away.expect(temperature, prior_bias(estimated, prior)))
    truth, at_home = away.scores(), home.scores()
    columns: dict[str, np.ndarray | None] = {
        "training": prior,
        "source": home.shares(),
        "target": away.shares(),
        "estimated": estimated,
        "truth": truth.pixels / truth.pixels.sum() if truth else None,
        "iou_source": at_home.per_class_iou if at_home else None,
        "iou_believed": believed.iou,
        "iou_shifted": shifted.iou if shifted else None,
        "iou_true": truth.per_class_iou if truth else None,
    }
    return {
        "classes": [
            {"name": n, **{key: None if c is None else plain(float(c[k])) for key, c in columns.items()}}
            for k, n in enumerate(names)
        ],
        "expected": {
            "definition": EXPECTED.format(classes=len(names)),
            "source": _means(Tally.of(home.expect(temperature))),
            "believed": _means(believed),
            "shifted": _means(shifted) if shifted else None,
        },
        "measured": {
            "source": _measured(at_home) if at_home else None,
            "target": _measured(truth) if truth else None,
        },
    }


def _means(tally: Tally) -> dict[str, float]:
    """Return the means of a tally: over all classes, and over those of at least a thousandth of the pixels."""
    there = tally.pixels >= HARDLY * tally.pixels.sum()
    return {
        "miou_all": float(tally.mean_of_all("iou")),
        "miou_there": float(np.nan_to_num(tally.iou)[there].mean()),
        "there": int(there.sum()),
        "accuracy": float(tally.pixel_accuracy),
    }


def _measured(scores: Scores) -> dict[str, float]:
    found = {"miou_all": scores.miou_all, "miou_there": scores.miou, "accuracy": scores.pixel_accuracy}
    return {**found, "there": int(scores.present.sum())}


def _known(segmenter: Segmenter, source: str | Path, line: ProgressLine) -> tuple[Familiarity, str]:
    """Return what the model remembers, or else what it would if it had been trained by this version, and a remark."""
    known = segmenter.familiarity
    if known is not None and known.knows_features:
        return known, ""
    line.describe("remember")
    try:
        train, val = find_frames(source, "train"), find_frames(source, "val")
        found = remember_frames(segmenter, train, val)
    except UserError as error:
        raise UserError(
            "this model does not know what its training frames looked like, and --source does not tell: it needs train "
            f"and val splits with masks, of {LEAST_TRAIN} and {LEAST_VAL} frames or more ({error})"
        ) from error
    line.describe("gap")
    return found, f"the model holds no statistics of its training frames; they were taken from {source}"
