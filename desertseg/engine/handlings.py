"""Other priors under which a model's answers are scored beside its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from desertseg.data import EvaluationBatch, Frame
from desertseg.engine.inference import Inference, suppression_bias
from desertseg.engine.priors import estimate_shift
from desertseg.terminal import ProgressLine


@dataclass(frozen=True)
class Handling:
    """Another prior under which the same answers are scored: a float32 (C,) bias on the logits."""

    name: str
    note: str
    bias: np.ndarray


def find_handlings(
    inference: Inference,
    frames: Sequence[Frame],
    load: Callable[..., Iterator[EvaluationBatch]],
    suppress: Sequence[str],
    estimate: bool,
    line: ProgressLine,
) -> list[Handling]:
    """Return the other priors to score under; estimating one takes a pass over the frames."""
    found, labels = [], inference.segmenter.labels
    if suppress or estimate:
        inference.check(["other priors"])
    if suppress:
        note = f"never {', '.join(suppress)}"
        found.append(Handling("suppressed", note, suppression_bias(labels, suppress)))
    if estimate:

        def counted() -> Iterator[EvaluationBatch]:
            for batch in load(frames, labels=None, on_error=lambda frame, error: line.advance()):
                yield batch
                line.advance(batch.count)

        shift = estimate_shift(inference, counted(), len(frames))
        found.append(Handling("estimated", shift.describe(labels), shift.bias))
    return found
