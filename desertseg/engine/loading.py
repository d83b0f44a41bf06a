"""Frames for a model, in batches whose memory does not grow with their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from desertseg.data import DataError, EvaluationBatch, Frame, image_size, load_evaluation
from desertseg.engine.strips import is_large


def load_by_size(
    frames: Sequence[Frame], size: tuple[int, int], *, batch_size: int, workers: int = 2, **options: Any
) -> Iterator[EvaluationBatch]:
    """Yield what `load_evaluation` does, but each huge frame by itself and with one more decoded ahead.

    Args:
        frames, size, batch_size, workers, **options: as in `load_evaluation`.
    """
    for large, group in groupby(frames, _is_large):
        count, threads = (1, 1) if large else (batch_size, workers)
        yield from load_evaluation(list(group), size, batch_size=count, workers=threads, **options)


def _is_large(frame: Frame) -> bool:
    try:
        return is_large(image_size(frame.image))
    except DataError:  # decoding says what is wrong with it
        return False
