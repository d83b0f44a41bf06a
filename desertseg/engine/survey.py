"""What a model sees in a desert: features, confidence, answers; and how right they are where there are masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import EvaluationBatch, Frame, load_evaluation
from desertseg.engine.checkpoint import fitting
from desertseg.engine.familiarity import Embedder, describe_batch, pixel_stride
from desertseg.engine.inference import Inference
from desertseg.engine.pipeline import Pipeline
from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX
from desertseg.metrics import Scores, count_confusion_numpy
from desertseg.metrics.calibration import fit_temperature
from desertseg.metrics.expectation import expected_confusion, softmax
from desertseg.models.familiarity import Familiarity
from desertseg.terminal import ProgressLine


@dataclass
class Survey:
    """Frames of one desert as a model sees them; of each frame about 4,000 pixels are kept.

    Attributes:
        frames: those that could be read, N of them.
        features: pooled deepest features of each, float32 (F,).
        appearance: colour and texture of each, float32 (S,).
        logits: of each frame's pixels, float16 (n, C).
        answers: the class of each of these pixels, uint8 (n,).
        labels: the truth of each of these pixels, uint8 (n,) with 255 = ignore; empty without masks.
        counts: pixels of each frame that were given each class, int64 (C,), at native size.
        confusion: int64 (C, C) over all pixels at native size; None without masks.
        failures: (file, reason) of every frame that could not be read.
        note: why masks that are there were not used, else "".
    """

    frames: list[Frame] = field(default_factory=list)
    features: list[np.ndarray] = field(default_factory=list)
    appearance: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)
    answers: list[np.ndarray] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    confusion: np.ndarray | None = None
    failures: list[tuple[Path, str]] = field(default_factory=list)
    note: str = ""

    def shares(self) -> np.ndarray:
        """Return each class's share of the pixels as the model answers, float64 (C,)."""
        total = np.sum(self.counts, axis=0)
        return total / max(1, total.sum())

    def distances(self, known: Familiarity) -> np.ndarray:
        """Return how far each frame lies from the training's, float64 (N,)."""
        return known.distance(np.stack(self.features))

    def confidences(self, temperature: float) -> np.ndarray:
        """Return the mean probability of each frame's answers, float64 (N,)."""
        return np.array([softmax(logits, temperature).max(axis=1).mean() for logits in self.logits])

    def probabilities(self, temperature: float) -> np.ndarray:
        """Return float32 (n, C): those of the kept pixels of all frames."""
        return np.concatenate([softmax(logits, temperature).astype(np.float32) for logits in self.logits])

    def expect(self, temperature: float, bias: np.ndarray | None = None) -> np.ndarray:
        """Return the confusion matrix to expect, float64 (C, C); its truth is moved by a bias of other class shares."""
        found = zip(self.logits, self.answers, strict=True)
        return np.sum([expected_confusion(softmax(each, temperature, bias), a) for each, a in found], axis=0)

    def fit_temperature(self) -> float | None:
        """Return the temperature that makes confidence accuracy here, None without masks."""
        labels = np.concatenate(self.labels) if self.labels else np.full(1, IGNORE_INDEX)
        if (labels == IGNORE_INDEX).all():
            return None
        return fit_temperature(np.concatenate(self.logits).astype(np.float32), labels).temperature

    def scores(self) -> Scores | None:
        """Return what the answers score, None without masks."""
        return None if self.confusion is None or not self.confusion.any() else Scores(self.confusion)


def survey(
    inference: Inference, frames: Sequence[Frame], *, batch_size: int = 4, line: ProgressLine | None = None
) -> Survey:
    """Return what a model sees in frames. Masks are used where every frame has one and they fit the model's label map.

    Args:
        inference: of the model, with one view.
        frames: of the desert.
        batch_size: frames a step.
        line: to report progress to.

    Raises:
        UserError: no frame can be read, or the model gives NaN.
    """
    masks = all(frame.mask is not None for frame in frames)
    found = _survey(inference, frames, masks, batch_size, line)
    if masks and not found.frames:
        reason = found.failures[0][1]
        found = _survey(inference, [dataclasses.replace(f, mask=None) for f in frames], False, batch_size, line)
        found.note = f"no mask could be used, so there is no truth: {reason}"
    if not found.frames:
        why = found.failures[0][1] if found.failures else "there are none"
        raise UserError(f"none of the {len(frames)} frames can be read: {why}")
    return found


def answer_frames(inference: Inference, batch: EvaluationBatch) -> dict[str, Any]:
    """Return device arrays: "labels" at native size, and a "sample" of the logits of about 4,000 pixels a frame."""
    stride = pixel_stride(batch.native_size)
    return inference.answer(batch.images, batch.box, batch.native_size, ("labels", "sample"), stride=stride)


def _survey(
    inference: Inference, frames: Sequence[Frame], masks: bool, batch_size: int, line: ProgressLine | None
) -> Survey:
    segmenter = inference.segmenter
    assert segmenter.size is not None
    found, embedder = Survey(), Embedder(segmenter)

    def compute(batch: EvaluationBatch) -> dict[str, Any]:
        return {**answer_frames(inference, batch), "features": embedder.features(batch.images, batch.box)}

    def fail(frame: Frame, error: UserError) -> None:
        found.failures.append((frame.image, str(error)))

    labels = segmenter.labels if masks else None
    batches = load_evaluation(
        frames, segmenter.size, batch_size=batch_size, labels=labels, resize=fitting(segmenter), on_error=fail
    )
    for batch, answer in Pipeline().run(batches, compute):
        _add(found, batch, answer, segmenter.num_classes)
        if line:
            line.advance(batch.count)
    return found


def _add(found: Survey, batch: EvaluationBatch, answer: dict[str, np.ndarray], classes: int) -> None:
    """Take in the real frames of a batch."""
    stride = pixel_stride(batch.native_size)
    found.frames += batch.frames
    found.appearance += describe_batch(batch)
    for k, frame in enumerate(batch.frames):
        logits, answers = answer["sample"][k].reshape(-1, classes), answer["labels"][k]
        if not np.isfinite(logits).all():
            raise UserError(f"the model gives NaN or infinity for {frame.image}; its weights are damaged")
        found.features.append(answer["features"][k])
        found.logits.append(np.clip(logits, -6e4, 6e4).astype(np.float16))
        found.answers.append(answers[::stride, ::stride].ravel())
        found.counts.append(np.bincount(answers.ravel(), minlength=classes).astype(np.int64))
        if batch.labels is not None:
            truth = batch.labels[k]
            found.labels.append(truth[::stride, ::stride].ravel())
            counted = count_confusion_numpy(truth, answers, classes)
            found.confusion = counted if found.confusion is None else found.confusion + counted
