"""The class shares of a desert, estimated from frames without labels, and what they change in a model's answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from desertseg.data import EvaluationBatch
from desertseg.engine.exported import Model
from desertseg.engine.inference import Inference
from desertseg.engine.pipeline import Pipeline
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.metrics.expectation import softmax
from desertseg.metrics.label_shift import estimate_priors, prior_bias

SAMPLED_PIXELS = 200_000  # of all frames together: a share of 0.1 % is then known to a tenth of itself
# The training's shares weigh as much as the frames at hand: EM by itself takes what a network mistakes for shares
# (docs/decisions.md has what was measured).
STRENGTH = 1.0


@dataclass(frozen=True)
class Priors:
    """Class shares of the training and of the frames at hand.

    Attributes:
        source: float64 (C,), of the training masks.
        target: float64 (C,), estimated.
        bias: float32 (C,), to be added to the logits.
    """

    source: np.ndarray
    target: np.ndarray
    bias: np.ndarray

    def describe(self, labels: LabelMap, most: int = 4) -> str:
        """Return the shares that changed most, such as "Rocks 1.2 -> 15.3 %"."""
        order = np.argsort(-np.abs(self.target - self.source), kind="stable")[:most]
        shares = (f"{labels.names[i]} {100 * self.source[i]:.1f} -> {100 * self.target[i]:.1f} %" for i in order)
        return ", ".join(shares)


def sample_stride(frames: int, native_size: tuple[int, int]) -> int:
    """Return the stride at which `frames` frames of a size give at most `SAMPLED_PIXELS` pixels together."""
    return max(1, math.ceil(math.sqrt(frames * native_size[0] * native_size[1] / SAMPLED_PIXELS)))


def training_shares(segmenter: Model) -> np.ndarray:
    """Return the class shares of a model's training masks, float64 (C,).

    Raises:
        UserError: the file does not hold them.
    """
    familiarity = segmenter.familiarity
    if familiarity is None or familiarity.class_shares is None:
        raise UserError(
            "this model does not know the class shares that it was trained on, which estimating others needs; "
            "it was made before models kept them: train it again, or name absent classes with --suppress"
        )
    return familiarity.class_shares


def estimate_shift(
    inference: Inference, batches: Iterable[EvaluationBatch], frames: int, *, strength: float = STRENGTH
) -> Priors:
    """Return how the class shares of frames differ from those of the training, from what the model answers there.

    Args:
        inference: of a model that knows its training's shares.
        batches: the frames; what has labels is not looked at.
        frames: about how many, from which the density of the sampled pixels follows.
        strength: how heavily the training's shares weigh beside the frames; 0 for the maximum likelihood.

    Raises:
        UserError: the model does not know its training's shares, or gave nothing that is a number.
    """
    source, found = training_shares(inference.segmenter), []
    known = inference.segmenter.familiarity
    temperature = (known.temperature if known else None) or 1.0
    pipeline = Pipeline()

    def compute(batch: EvaluationBatch) -> dict[str, np.ndarray]:
        stride = sample_stride(frames, batch.native_size)
        return inference.answer(
            batch.images, batch.box, batch.native_size, ("sample",), stride=stride, count=batch.count
        )

    for batch, answer in pipeline.run(batches, compute):
        logits = answer["sample"][: batch.count].reshape(-1, len(source))
        logits = logits[np.isfinite(logits).all(axis=1)]
        found.append(softmax(logits, temperature).astype(np.float32))
    if not sum(map(len, found)):
        raise UserError("no frame gave an answer to estimate class shares from; leave --priors out to see why")
    target = estimate_priors(np.concatenate(found), source, strength=strength)
    return Priors(source, target, prior_bias(target, source, temperature=temperature))
