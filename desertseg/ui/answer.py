"""One frame, one model, one frozen answer: labels, how sure they are, how they score, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from desertseg.data import EvaluationBatch, Frame
from desertseg.engine.answering import Answering
from desertseg.engine.checkpoint import fitting
from desertseg.engine.loading import load_by_size
from desertseg.engine.scoring import Answered, Scoring
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.metrics import Mean, Scores, compute_means
from desertseg.ui.given import Given, Options, check_pixels
from desertseg.ui.layers import Layers, draw_layers
from desertseg.ui.shelf import Opened

_RUNS, _SECONDS = 5, 0.5  # of timing: so many warm answers, or until so much time is spent, one at least
_HUGE = 40_000_000  # pixels of a frame whose answer takes tens of seconds, and is not given twice
_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True)
class Timing:
    """What an answer took: from the image in memory to labels, confidence and entropy there, all computed.

    Attributes:
        milliseconds: the median of the warm answers, or of the first one of a huge frame, which is the only one.
        runs: how many warm ones there were.
        first: seconds of the very first one, which may have compiled.
        size: (height, width) that the network saw.
        views: of the frame that were averaged.
    """

    milliseconds: float
    runs: int
    first: float
    size: tuple[int, int]
    views: int


@dataclass(frozen=True, eq=False)
class Score:
    """How an answer scores against the truth, at the mask's own resolution, as `evaluate` counts it.

    Attributes:
        scores: of the one confusion matrix.
        means: by their key, such as "miou", each with its definition.
    """

    scores: Scores
    means: dict[str, Mean]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about a frame.

    Attributes:
        model: its name on the page.
        labels: its label map.
        given, options: what was asked.
        native_size: (height, width) of the frame.
        packed: the labels, uint8 with 255 = unknown, as PNG.
        layers: what the viewer draws.
        shares: float (C,), each class's share of the frame.
        unknown: the share without a class, 0 to 1.
        confidences: float (C,), the mean probability of the pixels of each class; NaN where there are none, or where
            the model gives no probabilities.
        timing: what it took.
        score: None without a truth.
        remarks: what is to be known of it, a sentence each.
    """

    model: str
    labels: LabelMap
    given: Given
    options: Options
    native_size: tuple[int, int]
    packed: np.ndarray
    layers: Layers
    shares: np.ndarray
    unknown: float
    confidences: np.ndarray
    timing: Timing
    score: Score | None
    remarks: tuple[str, ...] = ()

    @property
    def prediction(self) -> np.ndarray:
        """uint8 (H, W): the labels, 255 = unknown."""
        return np.asarray(cv2.imdecode(self.packed, cv2.IMREAD_UNCHANGED))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The classes that the frame or its truth shows, the largest first."""
        there = self.shares > 0
        if self.score:
            there = there | self.score.scores.present
        return tuple(int(i) for i in np.argsort(-self.shares, kind="stable") if there[i])


def answer_frame(opened: Opened, given: Given, options: Options) -> Answer:
    """Return what a model says about a frame.

    A truth that cannot be used costs the scores, not the answer; a remark says why.

    Args:
        opened: the model; the caller holds the device.
        given: the frame.
        options: how it is answered.

    Raises:
        UserError: the frame, the options or the model cannot be used.
    """
    labels, size = opened.labels, opened.size(options)
    sure_of = opened.inference(options.tta).knows_probabilities
    answering = opened.answering(options, ("confidence", "entropy") if sure_of else ())
    batch, problem = _read(opened, given, size)
    remarks = [problem] if problem else []
    remarks += [] if sure_of else ["This file gives classes alone, so nothing is said of how sure it is."]
    foreign = [name for name in options.suppress if name not in labels.names]
    if foreign:
        remarks.append(f"Not suppressed, as the model has no such class: {', '.join(foreign)}.")
    answer, timing = time_answer(answering, batch, size)
    finished = answering.finish(answer, 0)
    if finished is None:
        raise UserError(
            f"model {opened.name} gives no numbers for {given.name} (NaN or infinite ones): its weights are damaged"
        )
    prediction, sure = finished
    if answering.is_unfamiliar(answer, 0):
        remarks.append("This frame is unlike those that the model was trained on: trust its answer less.")
    truth = None if batch.labels is None else np.asarray(batch.labels)[0]
    shares, unknown, confidences = _by_class(prediction, sure.get("confidence"), labels.num_classes)
    return Answer(
        model=opened.name,
        labels=labels,
        given=given,
        options=options,
        native_size=batch.native_size,
        packed=cv2.imencode(".png", prediction, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1],
        layers=draw_layers(batch.natives[0], prediction, answer["labels"][0], sure, truth),
        shares=shares,
        unknown=unknown,
        confidences=confidences,
        timing=timing,
        score=None if truth is None else score_frame(batch.frames[0], truth, prediction, labels),
        remarks=tuple(remarks),
    )


def score_frame(frame: Frame, truth: np.ndarray, prediction: np.ndarray, labels: LabelMap) -> Score:
    """Return the scores of one frame, counted by what `evaluate` counts with.

    Args:
        frame: the frame.
        truth: uint8 (H, W), 255 = ignore.
        prediction: uint8 (H, W), 255 = no answer, which is a miss.
        labels: the label map of both.
    """
    with Scoring(labels, boundaries=False) as scoring:
        scoring.add(Answered(frame, truth, prediction))
        scoring.finish()
    means = compute_means(
        np.stack(scoring.confusions),
        scoring.scenes,
        labels.names,
        unanswered=np.stack(scoring.unanswered),
        intervals=False,
    )
    return Score(scoring.scores, {mean.key: mean for mean in means})


def time_answer(
    answering: Answering, batch: EvaluationBatch, size: tuple[int, int]
) -> tuple[dict[str, np.ndarray], Timing]:
    """Return (an answer on the host, what it took).

    The first answer, which may compile, is not counted unless the frame is huge; each ends when all of it is in the
    host's memory.
    """
    begun = time.perf_counter()
    answer = _fetch(answering.compute(batch))
    first = time.perf_counter() - begun
    taken: list[float] = []
    repeated = batch.native_size[0] * batch.native_size[1] < _HUGE
    while repeated and (not taken or (len(taken) < _RUNS and sum(taken) < _SECONDS)):
        begun = time.perf_counter()
        answer = _fetch(answering.compute(batch))
        taken.append(time.perf_counter() - begun)
    milliseconds = 1000 * float(np.median(taken or [first]))
    return answer, Timing(milliseconds, len(taken), first, size, answering.inference.views.count)


def _fetch(answer: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in answer.items()}


def _read(opened: Opened, given: Given, size: tuple[int, int]) -> tuple[EvaluationBatch, str | None]:
    """Return (the frame with its truth, what is wrong with the truth)."""
    check_pixels(given.image, given.name)
    if given.mask:
        try:
            check_pixels(given.mask, given.mask_name)
            return _load(opened, given, size, opened.labels), None
        except UserError as error:
            reason = given.call(error)
        return _load(opened, given, size, None), f"No scores: {reason}."
    return _load(opened, given, size, None), None


def _load(opened: Opened, given: Given, size: tuple[int, int], labels: LabelMap | None) -> EvaluationBatch:
    frame = Frame(given.image, given.mask, given.stem)
    resize = fitting(opened.model)
    try:
        return next(load_by_size([frame], size, batch_size=1, labels=labels, resize=resize, keep_native=True))
    except UserError as error:
        raise UserError(given.call(error)) from error


def _by_class(
    prediction: np.ndarray, confidence: np.ndarray | None, classes: int
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return (each class's share, the share without a class, each class's mean confidence)."""
    counts, sums = np.zeros(256), np.zeros(256)
    for rows in _strips(prediction):
        counts += np.bincount(prediction[rows].ravel(), minlength=256)
        if confidence is not None:
            sums += np.bincount(prediction[rows].ravel(), weights=confidence[rows].ravel(), minlength=256)
    total = counts.sum()
    means = np.divide(sums, counts, out=np.full(256, np.nan), where=(counts > 0) & (confidence is not None))
    return counts[:classes] / total, float(counts[classes:].sum() / total), means[:classes]


def _strips(array: np.ndarray) -> Iterator[slice]:
    """Yield rows that are counted at once: NumPy widens labels to 8 bytes."""
    rows = max(1, _STRIP_PIXELS // array.shape[1])
    for start in range(0, array.shape[0], rows):
        yield slice(start, start + rows)
