"""Scoring the validation frames while a training goes on, on all of its devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from desertseg.data import Frame, load_evaluation
from desertseg.engine.devices import Devices
from desertseg.engine.inference import Inference
from desertseg.metrics import Scores

_BATCH = 4


def validate(
    inference: Inference, frames: Sequence[Frame], size: tuple[int, int], resize: str, devices: Devices
) -> tuple[Scores, float]:
    """Return (scores over all pixels, mean loss over batches), the same on all hosts.

    Whole batches go to the hosts in turn, so that of frames of one size each is the batch that one host would score;
    the pixels are added up as integers. All hosts must call it.

    Raises:
        UserError: a frame that cannot be read, on any host.
    """
    batch_size = devices.round_up(_BATCH)
    own = [f for k, f in enumerate(frames) if k // batch_size % devices.hosts == devices.host]
    classes = inference.segmenter.labels.num_classes
    confusion, losses = np.zeros((classes, classes), np.int64), np.zeros(2)
    with devices.together():
        if own:
            shared = _Shared(inference, devices)
            scores, loss = _measure(shared, own, size, batch_size, resize)
            if devices.hosts == 1:
                return scores, loss
            confusion, losses = scores.confusion, np.array([loss * shared.batches, shared.batches])
    total, count = devices.total(losses)
    return Scores(devices.total(confusion), inference.segmenter.labels.names), float(total / count)


def _measure(
    inference: Any, frames: Sequence[Frame], size: tuple[int, int], batch_size: int, resize: str
) -> tuple[Scores, float]:
    """Return (scores over all pixels, mean loss over batches), counted on the device."""
    labels = inference.segmenter.labels
    confusion = np.zeros((labels.num_classes, labels.num_classes), np.int64)
    losses: list[float] = []
    pending: list[tuple[Any, Any]] = []

    def settle() -> None:
        counts, loss = pending.pop(0)
        confusion[...] += np.asarray(counts).astype(np.int64)
        losses.append(float(loss))

    for batch in load_evaluation(frames, size, batch_size=batch_size, labels=labels, resize=resize):
        pending.append(inference.counts(batch.images, batch.labels, batch.box))
        if len(pending) > 1:  # one batch stays in flight, so that reading and computing overlap
            settle()
    while pending:
        settle()
    return Scores(confusion, labels.names), float(np.mean(losses))


class _Shared:
    """An `Inference` whose batches lie on all devices of this host."""

    def __init__(self, inference: Inference, devices: Devices) -> None:
        self._inference, self._devices, self.batches = inference, devices, 0
        self.segmenter = inference.segmenter

    def counts(self, images: Any, labels: Any, box: Any) -> tuple[Any, Any]:
        self.batches += 1
        return self._inference.counts(self._devices.share_here(images), self._devices.share_here(labels), box)
