"""What a model remembers of the frames that it met in its training, gathered when the training ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import EvaluationBatch, Frame, load_evaluation
from desertseg.data.appearance import NAMES
from desertseg.data.statistics import ClassIndex, index_classes
from desertseg.engine.checkpoint import fitting, load_segmenter, save_segmenter
from desertseg.engine.familiarity import (
    LEAST_TRAIN,
    LEAST_VAL,
    MOST_FRAMES,
    Embedder,
    describe_batch,
    pixel_stride,
    spread,
)
from desertseg.engine.inference import Inference
from desertseg.engine.pipeline import Pipeline
from desertseg.engine.plan import Plan
from desertseg.errors import UserError
from desertseg.metrics.calibration import LogitSample, fit_temperature
from desertseg.metrics.expectation import softmax
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity, principal_components
from desertseg.terminal import ProgressLine, progress_line

_BATCH = 4


def remember_classes(plan: Plan, index: ClassIndex | None = None) -> Familiarity | None:
    """Return a familiarity with the classes of the training masks alone; None where they cannot be read.

    Args:
        plan: of the training.
        index: of its frames, where it was made; else the classes of at most 500 frames are counted.
    """
    if not plan.train:
        return None
    try:
        found = index or index_classes(spread(plan.train, MOST_FRAMES), plan.labels)
    except UserError:  # the training will meet the frame, and say what is wrong with it
        return None
    return Familiarity(class_shares=found.shares)


def remember_frames(
    segmenter: Segmenter,
    train: Sequence[Frame],
    val: Sequence[Frame],
    *,
    deterministic: bool = False,
    line: ProgressLine | None = None,
) -> Familiarity:
    """Return what is to be known of a model's frames, from at most 500 of each kind; what it knew before is kept.

    Args:
        segmenter: the model, with a training size.
        train: that it was trained on.
        val: that it was not trained on, with masks: they say which distances and which confidence are usual.
        deterministic: the same bits in every run on a GPU as well.
        line: to report progress to.

    Raises:
        UserError: a frame that cannot be read, or too few of them.
    """
    if len(train) < LEAST_TRAIN or len(val) < LEAST_VAL:
        raise UserError(
            f"{len(train)} training and {len(val)} validation frames are too few to say what is familiar; "
            f"{LEAST_TRAIN} and {LEAST_VAL} are needed"
        )
    embedder = Embedder(segmenter, deterministic=deterministic)
    features, appearance = [], []
    for batch, answer in _look(spread(train, MOST_FRAMES), segmenter, embedder, line):
        features.append(answer["features"][: batch.count])
        appearance += describe_batch(batch)
    known = Familiarity(**principal_components(np.concatenate(features)))
    inference, held_out = Inference(segmenter, deterministic=deterministic), []
    sample = LogitSample()
    for batch, answer in _look(spread(val, MOST_FRAMES), segmenter, embedder, line, inference):
        held_out.append(known.distance(answer["features"][: batch.count]))
        stride = pixel_stride(batch.native_size)
        assert batch.labels is not None
        for logits, labels in zip(answer["sample"][: batch.count], batch.labels, strict=False):
            sample.add(logits, labels[::stride, ::stride])
    temperature = fit_temperature(sample.logits, sample.labels).temperature
    return dataclasses.replace(
        known,
        class_shares=segmenter.familiarity.class_shares if segmenter.familiarity else None,
        distances=np.sort(np.concatenate(held_out)).astype(np.float32),
        appearance=np.stack(appearance),
        appearance_names=NAMES,
        confidence=float(softmax(sample.logits, temperature).max(axis=1).mean()),
        temperature=temperature,
    )


def _look(
    frames: Sequence[Frame],
    segmenter: Segmenter,
    embedder: Embedder,
    line: ProgressLine | None,
    inference: Inference | None = None,
) -> Iterator[tuple[EvaluationBatch, dict[str, np.ndarray]]]:
    """Yield batches with their features, and with an inference their labels and a sample of the logits."""
    assert segmenter.size is not None
    labels = segmenter.labels if inference else None
    batches = load_evaluation(frames, segmenter.size, batch_size=_BATCH, labels=labels, resize=fitting(segmenter))

    def compute(batch: EvaluationBatch) -> dict[str, Any]:
        found = {"features": embedder.features(batch.images, batch.box)}
        if inference:
            stride = pixel_stride(batch.native_size)
            found |= inference.answer(batch.images, batch.box, batch.native_size, ("sample",), stride=stride)
        return found

    for batch, answer in Pipeline().run(batches, compute):
        if line:
            line.advance(batch.count)
        yield batch, answer


def remember_run(plan: Plan, best: Path, say: Callable[[str], None], progress: bool = True) -> None:
    """Store with the best model of a run what its frames looked like; the run has ended and loses nothing by it.

    Args:
        plan: of the training.
        best: the model's file.
        say: is told what was left out, and why.
        progress: print a progress bar.
    """
    if len(plan.train) < LEAST_TRAIN or len(plan.val) < LEAST_VAL:
        return
    total = min(len(plan.train), MOST_FRAMES) + min(len(plan.val), MOST_FRAMES)
    try:
        with progress_line("remember", total, "images", progress) as line:
            segmenter = load_segmenter(best)
            if segmenter.familiarity and segmenter.familiarity.knows_features:
                return
            deterministic = plan.recipe.train.deterministic
            segmenter.familiarity = remember_frames(
                segmenter, plan.train, plan.val, deterministic=deterministic, line=line
            )
            save_segmenter(segmenter, best)
        known = segmenter.familiarity
        say(
            f"{best} knows {known.frames} of its training frames; beyond a distance of {known.threshold:.2f} lies what "
            "it does not know"
        )
    except KeyboardInterrupt:
        say(f"{best} was left without what its training frames looked like, as asked; the run has ended")
    except (ValueError, OSError, RuntimeError, MemoryError) as error:  # a file that went, a full disk or device
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        say(f"warning: {best} does not know what its training frames looked like: {reason}")
