"""The frames that each class lost most on, kept while a data set is scored."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from desertseg.data import Frame
from desertseg.labels import LabelMap

KEPT = 10


@dataclass(frozen=True, order=True)
class WorstFrame:
    """One class in one frame.

    Attributes:
        wrong: pixels of the class that were missed, and pixels called so that are not. They are what the IoU over all
            frames loses here; the lowest IoU of a frame would only find the frames with a handful of its pixels.
        order: that it was met before those of an equal count.
        frame: the frame.
        iou: of the class in this frame.
        pixels: of the class in the frame's truth.
        prediction: uint8 (H, W), packed as PNG.
    """

    wrong: int
    order: int
    frame: Frame = field(compare=False)
    iou: float = field(compare=False)
    pixels: int = field(compare=False)
    packed: np.ndarray = field(compare=False, repr=False)

    @property
    def prediction(self) -> np.ndarray:
        """uint8 (H, W): the labels that were predicted, 255 = none."""
        return np.asarray(cv2.imdecode(self.packed, cv2.IMREAD_UNCHANGED))


class WorstFrames:
    """Keeps for each class the frames with the most wrong pixels of it, among those whose truth shows it.

    Args:
        labels: the label map.
        kept: frames a class.
    """

    def __init__(self, labels: LabelMap, kept: int = KEPT) -> None:
        self.labels, self.kept = labels, kept
        self._heaps: list[list[WorstFrame]] = [[] for _ in labels.names]
        self._offered = 0

    def offer(self, frame: Frame, confusion: np.ndarray, unanswered: np.ndarray, prediction: np.ndarray) -> None:
        """Keep a frame for the classes that it is among the worst of.

        Args:
            frame: the frame.
            confusion: integers (C, C), truth in rows.
            unanswered: integers (C,).
            prediction: uint8 (H, W).
        """
        hits, pixels = np.diagonal(confusion), confusion.sum(axis=1) + unanswered
        wrong = pixels + confusion.sum(axis=0) - 2 * hits
        packed: np.ndarray | None = None
        self._offered += 1
        for index in np.flatnonzero((pixels > 0) & (wrong > 0)):
            heap, count = self._heaps[index], int(wrong[index])
            if len(heap) == self.kept and count <= heap[0].wrong:
                continue
            if packed is None:
                packed = cv2.imencode(".png", prediction, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
            iou = float(hits[index] / (hits[index] + count))
            kept = WorstFrame(count, -self._offered, frame, iou, int(pixels[index]), packed)
            (heapq.heappush if len(heap) < self.kept else heapq.heapreplace)(heap, kept)

    def of(self, classes: Sequence[int]) -> dict[str, list[WorstFrame]]:
        """Return the kept frames of some classes by name, the worst first."""
        return {self.labels.names[i]: sorted(self._heaps[i], reverse=True) for i in classes if self._heaps[i]}


def weak_classes(iou: np.ndarray, present: np.ndarray, below: float = 0.5, least: int = 3) -> list[int]:
    """Return the classes, the weakest first, whose IoU is under a limit, or the weakest few where fewer are.

    Args:
        iou: float (C,).
        present: bool (C,): the classes to choose from.
        below: the limit.
        least: how many at least, as far as there are classes.
    """
    order = [int(i) for i in np.argsort(np.nan_to_num(iou), kind="stable") if present[i]]
    weak = [i for i in order if iou[i] < below]
    return weak if len(weak) >= least else order[:least]
