"""Scoring a model, or anybody's masks: one int64 confusion matrix over all pixels, at the masks' own resolution."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.data import EvaluationBatch, Frame, find_frames, resize_labels
from desertseg.data.lists import name_split
from desertseg.engine.checkpoint import fitting, load_model, recipe_views
from desertseg.engine.compiled import device_name
from desertseg.engine.evaluation import Evaluation, UnwrittenError, summarise
from desertseg.engine.evaluation_folder import check_other_data, write_evaluation
from desertseg.engine.exported import ExportedSegmenter, Model, network_size, open_inference
from desertseg.engine.handlings import Handling, find_handlings
from desertseg.engine.inference import Inference
from desertseg.engine.loading import load_by_size
from desertseg.engine.pipeline import Pipeline
from desertseg.engine.precheck import precheck_scoring
from desertseg.engine.priors import sample_stride
from desertseg.engine.scoring import Answered, Scoring
from desertseg.engine.translation import Translation, choose_labels
from desertseg.errors import UserError
from desertseg.label_mapping import LabelMapping
from desertseg.labels import LabelError
from desertseg.report.record import ReportError
from desertseg.runtimes import is_exported
from desertseg.terminal import ProgressLine, progress_line

Failures = list[tuple[Path, str]]


def evaluate(
    model: str | Path | Model,
    data: str | Path | Sequence[Frame],
    *,
    split: str | None = "val",
    out: str | Path | None = None,
    size: tuple[int, int] | None = None,
    batch_size: int = 4,
    at: str = "native",
    tta: bool = False,
    suppress: Sequence[str] = (),
    priors: str = "none",
    mapping: str | Path | LabelMapping | None = None,
    boundaries: bool = True,
    overwrite: bool = False,
    progress: bool = True,
) -> Evaluation:
    """Return the scores of a model on a split of a data set, and write them with pictures.

    Every frame is fitted into the training size; the logits are resized to the mask's own resolution before the class
    is chosen, and one confusion matrix is counted over all pixels that are not ignored.

    A frame that cannot be read, or for which the network's answer is not a number, is left out and named in
    `failures`; the others are scored.

    Args:
        model: a `.keras` file that `fit` wrote, the name of a shipped one, an exported file, or a loaded model.
        data: a folder of frames and masks, or `Frame`s.
        split: "train", "val", "test", or None for every frame below `data`.
        out: folder for the files. For a model file the default is `evaluation/<data>-<split>` beside it; for a
            `Segmenter` nothing is written without it.
        size: (height, width) that the network sees; the training size when None.
        batch_size: frames a step.
        at: "native", or "input" to score at the training size, as much published code does: the truth is then reduced
            by nearest neighbour. For comparison alone.
        tta: average the probabilities of the views that the model's recipe names under [inference], or of the picture
            and its mirror where it names none.
        suppress: also score as if these classes could not be predicted; the headline stays what the model answers.
        priors: "none", or "estimated" to score also with class shares that are estimated from these frames without
            their masks; that takes a second pass.
        mapping: a correspondence, for masks of another label map than the model's: what is scored then are the classes
            of the masks that have a counterpart.
        boundaries: also count how well borders are met.
        overwrite: replace an evaluation of other data in the same folder.
        progress: print a progress bar.

    Raises:
        UserError: a model or data that cannot be used, among it a mask with an id that the model's label map does not
            define; the message says how to mend it.
    """
    started = time.perf_counter()
    segmenter = load_model(model)
    _check_options(at, priors)
    size = network_size(segmenter, size)
    frames, source = find_scored(data, split)
    translation = None if mapping is None else Translation(mapping, segmenter.labels)
    truth, scored = choose_labels(translation, segmenter.labels)
    folder = _choose_folder(model, data, split, out)
    if folder:
        check_other_data(folder, source, overwrite)
    inference = open_inference(segmenter, recipe_views(segmenter) if tta else None)
    failures: Failures = []
    load = partial(load_by_size, size=size, batch_size=batch_size, labels=truth, resize=fitting(segmenter))
    estimate = priors == "estimated"
    warnings = precheck_scoring(frames, truth, data, split)
    with progress_line("evaluate", len(frames) * (1 + estimate), "images", progress) as line:
        for warning in warnings:
            line.note(warning)
        handlings = find_handlings(inference, frames, load, suppress, estimate, line)
        with Scoring(scored, boundaries, [h.name for h in handlings], translation) as scoring:
            skip = _skipping(failures, line)
            batches = load(frames, on_error=skip)
            rate = _score(inference, scoring, batches, handlings, len(frames), at, line, skip)
    origin = {
        "resolution": _RESOLUTIONS[at],
        "model": str(model) if isinstance(model, (str, Path)) else "a model in memory",
        "data": source,
        "split": split,
        "size": list(size),
        "at": at,
        "views": {"scales": list(inference.views.scales), "flip": inference.views.flip},
    }
    speed = {"images_per_second": rate, "seconds": time.perf_counter() - started}
    if isinstance(segmenter, ExportedSegmenter):
        origin["runtime"] = segmenter.exported.runtime
    return conclude(scoring, folder, origin | _where() | speed, failures, [h.note for h in handlings])


def _check_options(at: str, priors: str) -> None:
    if at not in _RESOLUTIONS:
        raise UserError(f"at={at!r} is no resolution to score at; it is 'native' or 'input'")
    if priors not in ("none", "estimated"):
        raise UserError(f"priors={priors!r} are not known; they are 'none' or 'estimated'")


_RESOLUTIONS = {
    "native": "native: logits resized to each mask's own size before the class is chosen",
    "input": "input: the truth reduced to the training size by nearest neighbour; other code's numbers, not the task's",
}


def conclude(
    scoring: Scoring, folder: Path | None, origin: dict[str, Any], failures: Failures, notes: Sequence[str] = ()
) -> Evaluation:
    """Return the evaluation of all that was counted, and write it where there is a folder.

    Args:
        scoring: a finished one.
        folder: to write to, or None.
        origin: what was scored, how and on what.
        failures: frames that were left out.
        notes: a remark on each alternative of the scoring.

    Raises:
        UserError: no frame was scored; the message says why the first one was not.
        UnwrittenError: the folder cannot be written to.
    """
    if not scoring.names:
        why = f"; the first: {failures[0][1]}" if failures else ""
        raise UserError(f"none of {len(failures)} frames could be scored{why}")
    means, details = summarise(scoring, notes)
    details |= origin | {"failures": [[str(path), reason] for path, reason in failures]}
    if scoring.translation:
        details["mapping"] = scoring.translation.to_dict()
    evaluation = Evaluation(
        scores=scoring.scores,
        labels=scoring.labels,
        frames=len(scoring.names),
        folder=folder,
        images_per_second=origin["images_per_second"],
        means=tuple(means),
        details=details,
        failures=tuple(failures),
    )
    if folder is None:
        return evaluation
    try:
        return replace(evaluation, details=write_evaluation(folder, scoring, details))
    except (OSError, ReportError) as error:
        reason = f"{folder} cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise UnwrittenError(f"{reason}; free some space, or choose another --out", evaluation) from error


def find_scored(data: str | Path | Sequence[Frame], split: str | None) -> tuple[list[Frame], str]:
    """Return (the frames to score, what to call them).

    Raises:
        UserError: there are none.
    """
    frames = find_frames(data, split) if isinstance(data, (str, Path)) else list(data)
    if not frames:
        raise UserError("there are no frames to score; give at least one")
    return frames, str(data) if isinstance(data, (str, Path)) else f"{len(frames)} frames"


def _where() -> dict[str, Any]:
    return {"backend": keras.backend.backend(), "device": device_name()}


def _choose_folder(model: Any, data: Any, split: str | None, out: str | Path | None) -> Path | None:
    if out is not None:
        return Path(out)
    if not isinstance(model, (str, Path)):
        return None
    name = Path(data).resolve().name if isinstance(data, (str, Path)) else "frames"
    of = f"-{Path(model).name}" if is_exported(model) else ""  # it may lie beside the best.keras that it was made of
    return Path(model).parent / "evaluation" / f"{name}-{name_split(split)}{of}"


def _skipping(failures: Failures, line: ProgressLine) -> Callable[[Frame, UserError], None]:
    """Return what notes a frame that is left out; a mask of another label map ends it all."""

    def skip(frame: Frame, error: UserError) -> None:
        if isinstance(error, LabelError):
            raise error
        failures.append((frame.image, str(error)))
        line.advance()

    return skip


def _score(
    inference: Inference,
    scoring: Scoring,
    batches: Iterator[EvaluationBatch],
    handlings: Sequence[Handling],
    frames: int,
    at: str,
    line: ProgressLine,
    skip: Callable[[Frame, UserError], None],
) -> float:
    """Give every frame with its answer to `scoring`; returns images a second after the first batch, nan without one."""
    known = ("confidence", "sample") if inference.knows_probabilities else ()
    want = ("labels", *known, *(("alternatives",) if handlings else ()))
    biases = np.stack([h.bias for h in handlings]) if handlings else None

    def compute(batch: EvaluationBatch) -> dict[str, Any]:
        size = _size(batch, at)
        stride = sample_stride(frames, size)
        return inference.answer(
            batch.images, batch.box, size, want, alternatives=biases, stride=stride, count=batch.count
        )

    first, started = 0, 0.0
    for batch, answer in Pipeline().run(batches, compute):
        size = _size(batch, at)
        for i, frame in enumerate(batch.frames):
            if not all(np.isfinite(answer[key][i]).all() for key in known):
                skip(frame, UserError(f"the model's answer for {frame.image} is not a number; its weights are damaged"))
                continue
            scoring.add(
                Answered(
                    frame,
                    truth=resize_labels(np.asarray(batch.labels)[i], size),
                    prediction=answer["labels"][i],
                    confidence=answer["confidence"][i] if known else None,
                    sample=answer["sample"][i] if known else None,
                    stride=sample_stride(frames, size),
                    alternatives=answer["alternatives"][:, i] if handlings else None,
                )
            )
            line.advance()
        first, started = first or batch.count, started or time.perf_counter()  # the first batch compiles
    scoring.finish()
    timed = len(scoring.names) - first
    return timed / (time.perf_counter() - started) if timed > 0 else float("nan")


def _size(batch: EvaluationBatch, at: str) -> tuple[int, int]:
    return batch.native_size if at == "native" else (batch.box.height, batch.box.width)
