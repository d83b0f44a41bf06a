"""How a prediction answers: biases, a threshold of confidence, whole frames or windows, and whether it is at home."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from desertseg.data import EvaluationBatch
from desertseg.engine.checkpoint import fitting
from desertseg.engine.exported import open_inference
from desertseg.engine.familiarity import FamiliarityProbe
from desertseg.engine.inference import Inference
from desertseg.engine.window import label_large, place_windows
from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX

_TIMINGS, _TIMING_SECONDS = 5, 2.0  # of what the views cost: so many, or until so much time is spent


@dataclass(frozen=True)
class Answering:
    """What is asked of a model for every batch.

    Args:
        inference: the model with its views.
        bias: float32 (C,), added to the logits.
        want: names of `Inference.answer` that are needed beside "labels".
        confidence: pixels whose largest probability is below become unknown; None for none.
        window: (height, width) of windows that slide over the frame at its own size; None for the whole frame.
        window_size: (height, width) that they are brought to for the network; None for their own.
        overlap: of the windows, 0 to 1.

    Raises:
        UserError: a threshold, a window or an overlap that is none.
    """

    inference: Inference
    bias: np.ndarray
    want: tuple[str, ...] = ()
    confidence: float | None = None
    window: tuple[int, int] | None = None
    window_size: tuple[int, int] | None = None
    overlap: float = 0.5

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 < self.confidence <= 1:
            raise UserError(f"the confidence is {self.confidence}; give a probability above 0, at most 1, such as 0.6")
        if self.window:
            place_windows(self.window, self.window, self.overlap)  # says what is wrong with them before a frame is read
        self.inference.check((*self.needed, *(("windows",) if self.window else ())), self.bias)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of `Inference.answer` that are asked for, but for the distance."""
        names = ("labels", "finite", *self.want, *(("confidence",) if self.confidence else ()))
        return tuple(dict.fromkeys(names))

    @cached_property
    def probe(self) -> FamiliarityProbe | None:
        """What tells whether a frame is like those of the training, where the model can."""
        known = self.inference.segmenter.familiarity
        return FamiliarityProbe(self.inference.segmenter) if known is not None and known.knows_features else None

    def compute(self, batch: EvaluationBatch) -> dict[str, Any]:
        """Return device arrays by name: "labels", "finite", what is wanted, and "distance" where the model can tell."""
        want = self.needed
        if self.window:
            answer = self._slide(batch, want)
            known = self.probe
            return answer if known is None else {**answer, "distance": known.distances(batch.images, batch.box)}
        want += ("distance",) if self.probe else ()
        return self.inference.answer(
            batch.images, batch.box, batch.native_size, want, bias=self.bias, count=batch.count
        )

    def finish(self, answer: dict[str, np.ndarray], index: int) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
        """Return the labels of one frame, uint8 (H, W) with 255 = unknown, and what was wanted beside them.

        Returns:
            None where the network's answer is no number.
        """
        if not answer["finite"][index].all():
            return None
        labels = answer["labels"][index]
        if self.confidence:
            labels = np.where(answer["confidence"][index] < self.confidence, np.uint8(IGNORE_INDEX), labels)
        return labels, {name: answer[name][index] for name in self.want}

    def is_unfamiliar(self, answer: dict[str, np.ndarray], index: int) -> bool:
        """Whether a frame lies outside of what the model was trained on; False where the model cannot tell."""
        return (
            self.probe is not None and "distance" in answer and bool(answer["distance"][index] > self.probe.threshold)
        )

    def time_views(self, batch: EvaluationBatch) -> float:
        """Return how many times as long as with one view an answer takes, from the fastest of a few runs of both."""
        plain = replace(self, inference=open_inference(self.inference.segmenter))
        _seconds(self, batch), _seconds(plain, batch)  # compile
        taken: list[tuple[float, float]] = []
        while sum(map(sum, taken)) < _TIMING_SECONDS and len(taken) < _TIMINGS:
            taken.append((_seconds(self, batch), _seconds(plain, batch)))
        return min(views for views, _ in taken) / min(one for _, one in taken)

    def _slide(self, batch: EvaluationBatch, want: tuple[str, ...]) -> dict[str, np.ndarray]:
        answers = [
            label_large(
                self.inference,
                image,
                self.window or batch.native_size,
                size=self.window_size,
                resize=fitting(self.inference.segmenter),
                overlap=self.overlap,
                want=want,
                bias=self.bias,
            )
            for image in batch.natives
        ]
        return {name: np.stack([answer[name] for answer in answers]) for name in want}


def _seconds(answering: Answering, batch: EvaluationBatch) -> float:
    begun = time.perf_counter()
    for values in answering.compute(batch).values():
        np.asarray(values)
    return time.perf_counter() - begun
