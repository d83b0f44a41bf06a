"""Hits, truth and prediction per class, and every score that follows from the three, over any leading axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixel counts of C classes; leading axes are frames, replicates or nothing. What has no value (0 / 0) is NaN.

    Attributes:
        hits: (..., C) pixels of each class that were predicted as it.
        pixels: (..., C) pixels of each class in the truth, unanswered ones included.
        predicted: (..., C) pixels predicted as each class.
    """

    hits: np.ndarray
    pixels: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, confusion: np.ndarray, unanswered: np.ndarray | None = None) -> Tally:
        """Return the tally of confusion matrices (..., C, C) and of pixels (..., C) that were given no class."""
        pixels = confusion.sum(axis=-1)
        hits = np.diagonal(confusion, axis1=-2, axis2=-1)
        return cls(hits, pixels if unanswered is None else pixels + unanswered, confusion.sum(axis=-2))

    @property
    def present(self) -> np.ndarray:
        """bool (..., C): the classes that the truth has."""
        return self.pixels > 0

    @property
    def iou(self) -> np.ndarray:
        """Hits / (truth + predicted - hits); NaN where a class is in neither truth nor prediction."""
        return ratio(self.hits, self.pixels + self.predicted - self.hits)

    @property
    def dice(self) -> np.ndarray:
        """2 hits / (truth + predicted); NaN where a class is in neither."""
        return ratio(2 * self.hits, self.pixels + self.predicted)

    @property
    def recall(self) -> np.ndarray:
        """Hits / truth; NaN where the truth lacks the class."""
        return ratio(self.hits, self.pixels)

    @property
    def precision(self) -> np.ndarray:
        """Hits / predicted; NaN where the class was never predicted."""
        return ratio(self.hits, self.predicted)

    @property
    def half(self) -> np.ndarray:
        """1 where a class's IoU is at least 0.5, else 0."""
        return (np.nan_to_num(self.iou) >= 0.5).astype(np.float64)

    @property
    def pixel_accuracy(self) -> np.ndarray:
        """The share of pixels predicted rightly."""
        return ratio(self.hits.sum(axis=-1), self.pixels.sum(axis=-1))

    @property
    def frequency_weighted_iou(self) -> np.ndarray:
        """The IoU of the present classes, weighted by their share of the truth's pixels."""
        weighted = np.where(self.present, self.pixels * np.nan_to_num(self.iou), 0)
        return ratio(weighted.sum(axis=-1), self.pixels.sum(axis=-1))

    def mean(self, score: str, whole: Tally | None = None) -> np.ndarray:
        """Return the mean of a score, such as "iou", over the classes present in the truth; one without counts 0.

        Args:
            score: the name of one of the per-class properties.
            whole: of all frames, where this is a resample of them. The mean is then over the classes of the whole, and
                one that the resample's truth lacks keeps its score of the whole: it would otherwise be a mean over
                other classes, and jump whenever a rare one is not drawn.
        """
        whole = whole or self
        values = np.where(self.present, getattr(self, score), getattr(whole, score))
        values = np.where(whole.present, np.nan_to_num(values), 0)
        return ratio(values.sum(axis=-1), whole.present.sum(axis=-1))

    def mean_of_all(self, score: str, whole: Tally | None = None) -> np.ndarray:
        """Return the mean over all classes; one that is in neither truth nor prediction counts 0. As `mean` else."""
        whole = whole or self
        values = np.where(whole.present & ~self.present, getattr(whole, score), getattr(self, score))
        return np.where(whole.present.any(axis=-1), np.nan_to_num(values).mean(axis=-1), np.nan)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole in float64, NaN where whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan), where=whole > 0)


def plain(value: Any) -> int | float | None:
    """Return one NumPy number as JSON has it: Python's own, None for NaN."""
    if np.issubdtype(np.asarray(value).dtype, np.integer):
        return int(value)
    return None if np.isnan(value) else float(value)
