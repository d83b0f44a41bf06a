"""What is counted of every frame that is scored, and added up: whoever predicted it, a model or somebody's masks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import Frame, read_mask
from desertseg.engine.translation import Translation
from desertseg.engine.worst import WorstFrames
from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.metrics import Scores
from desertseg.metrics.boundary import BoundaryCounts, count_boundaries
from desertseg.metrics.calibration import Calibration, LogitSample

BANDS = ("top third", "middle third", "bottom third")
_COUNTERS = 2  # threads; NumPy and OpenCV leave Python's lock while they count
# What may wait to be counted, so that memory stays flat: so many frames, of so many pixels.
_WAITING_FRAMES, _WAITING_PIXELS = 8, 2**25
_STRIP_PIXELS = 2**20


@dataclass(frozen=True)
class Answered:
    """What was answered for one frame.

    Attributes:
        frame: the frame.
        truth: uint8 (H, W), 255 = ignore.
        prediction: uint8 (H, W), 255 = no answer, which counts as a miss.
        confidence: float32 (H, W), the largest probability; None where only a mask is known.
        sample: float32 (h, w, C), logits of every `stride`-th row and column; None as above.
        stride: of the sample.
        alternatives: uint8 (K, H, W), the classes under other priors.
    """

    frame: Frame
    truth: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray | None = None
    sample: np.ndarray | None = None
    stride: int = 1
    alternatives: np.ndarray | None = None


@dataclass(frozen=True)
class _Counts:
    """Of one frame: int64 (bands, C, C + 1), int64 (K, C, C + 1), and what the others count."""

    bands: np.ndarray
    alternatives: np.ndarray
    boundaries: BoundaryCounts | None
    calibration: Calibration | None


@dataclass
class Scoring:
    """Adds up frames, counting each on a thread; a context manager.

    Memory stays flat: of a frame its confusion matrix remains, and the pictures of the worst.

    Args:
        labels: the label map.
        boundaries: whether to count how well borders are met, which costs most.
        alternatives: names of the other priors under which `Answered.alternatives` were chosen.
        translation: makes `labels` of frames that are added in two other label maps; their confidence, which is about
            other classes, is then left aside.

    Attributes:
        names, scenes: of the frames in the order in which they were added.
        confusions: int32 (C, C) a frame, truth in rows.
        unanswered: int32 (C,) a frame: pixels of each class that got no answer.
        bands: int64 (3, C, C + 1): the upper, middle and lower third of the rows, no answer in the last column.
        other: int64 (K, C, C + 1): under the other priors, no answer in the last column.
        boundary, calibration: the sums; None where nothing was counted.
        sample: logits and truth of some pixels, for fitting a temperature.
        worst: the frames that each class lost most on.
    """

    labels: LabelMap
    boundaries: bool = True
    alternatives: Sequence[str] = ()
    translation: Translation | None = None
    names: list[str] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    confusions: list[np.ndarray] = field(default_factory=list)
    unanswered: list[np.ndarray] = field(default_factory=list)
    boundary: BoundaryCounts | None = None
    calibration: Calibration | None = None
    sample: LogitSample = field(default_factory=LogitSample)

    def __post_init__(self) -> None:
        classes = self.labels.num_classes
        self.bands = np.zeros((len(BANDS), classes, classes + 1), np.int64)
        self.other = np.zeros((len(self.alternatives), classes, classes + 1), np.int64)
        self.worst = WorstFrames(self.labels)
        self._pool = ThreadPoolExecutor(_COUNTERS, thread_name_prefix="desertseg-count")
        self._running: deque[tuple[Answered, Future[_Counts]]] = deque()

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, *error: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, answered: Answered) -> None:
        """Queue a frame."""
        if self.translation:
            answered = self._translate(answered, self.translation)
        self._running.append((answered, self._pool.submit(self._count, answered)))
        while self._running and self._is_behind():
            self._settle()

    def finish(self) -> None:
        """Wait until every frame is counted."""
        while self._running:
            self._settle()

    @property
    def scores(self) -> Scores:
        """Every score of the whole."""
        return self.scores_of(self.bands.sum(axis=0))

    def scores_of(self, counts: np.ndarray) -> Scores:
        """Return the scores of int64 (C, C + 1), no answer in the last column."""
        return Scores(counts[:, :-1], self.labels.names, counts[:, -1])

    def read_truth(self, mask: str | Path) -> np.ndarray:
        """Return the labels of a mask file as they are scored."""
        if self.translation:
            return self.translation.translate_truth(read_mask(mask, self.translation.truth))
        return read_mask(mask, self.labels)

    @staticmethod
    def _translate(answered: Answered, translation: Translation) -> Answered:
        translation.count(answered.truth)
        others = answered.alternatives
        return replace(
            answered,
            truth=translation.translate_truth(answered.truth),
            prediction=translation.translate_answer(answered.prediction),
            alternatives=None if others is None else translation.translate_answer(others),
            confidence=None,
            sample=None,
        )

    def _is_behind(self) -> bool:
        pixels = sum(answered.truth.size for answered, _ in self._running)
        return len(self._running) > _WAITING_FRAMES or pixels > _WAITING_PIXELS

    def _settle(self) -> None:
        answered, running = self._running.popleft()
        counts = running.result()
        total = counts.bands.sum(axis=0)
        confusion, unanswered = total[:, :-1], total[:, -1]
        self.names.append(answered.frame.name)
        self.scenes.append(answered.frame.scene)
        self.confusions.append(confusion.astype(np.int32))
        self.unanswered.append(unanswered.astype(np.int32))
        self.bands += counts.bands
        self.other += counts.alternatives
        self.boundary = _sum(self.boundary, counts.boundaries)
        self.calibration = _sum(self.calibration, counts.calibration)
        if answered.sample is not None:
            self.sample.add(answered.sample, answered.truth[:: answered.stride, :: answered.stride])
        self.worst.offer(answered.frame, confusion, unanswered, answered.prediction)

    def _count(self, answered: Answered) -> _Counts:
        truth, prediction, classes = answered.truth, answered.prediction, self.labels.num_classes
        edges = [round(i * truth.shape[0] / len(BANDS)) for i in range(len(BANDS) + 1)]
        bands = [_count_pixels(truth[a:b], prediction[a:b], classes) for a, b in pairwise(edges)]
        chosen = () if answered.alternatives is None else answered.alternatives
        others = [_count_pixels(truth, other, classes) for other in chosen]
        return _Counts(
            bands=np.stack(bands),
            alternatives=np.array(others, np.int64).reshape(-1, classes, classes + 1),
            boundaries=count_boundaries(truth, prediction, classes) if self.boundaries else None,
            calibration=self._calibrate(answered),
        )

    def _calibrate(self, answered: Answered) -> Calibration | None:
        if answered.confidence is None:
            return None
        calibration = Calibration()
        for rows in _strips(answered.truth):
            truth = answered.truth[rows]
            valid = truth != IGNORE_INDEX
            calibration.add(answered.confidence[rows][valid], (answered.prediction[rows] == truth)[valid])
        return calibration


def _strips(array: np.ndarray) -> Iterator[slice]:
    """Yield rows of (H, W) that are counted at once, so that what counting needs beside them stays small."""
    rows = max(1, _STRIP_PIXELS // array.shape[1])
    for start in range(0, array.shape[0], rows):
        yield slice(start, start + rows)


def _count_pixels(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Return int64 (C, C + 1): truth in rows, prediction in columns, no answer in the last; ignored pixels left out.

    Both hold classes or 255: the readers and the network see to it.
    """
    counts = np.zeros((num_classes + 1) ** 2, np.int64)
    for rows in _strips(truth):
        code = np.minimum(truth[rows], num_classes).astype(np.uint16) * np.uint16(num_classes + 1)
        code += np.minimum(prediction[rows], num_classes)
        counts += np.bincount(code.ravel(), minlength=len(counts))
    return counts.reshape(num_classes + 1, num_classes + 1)[:num_classes]


def _sum(total: Any, part: Any) -> Any:
    return part if total is None else total if part is None else total + part
