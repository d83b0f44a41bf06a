"""Scores from one confusion matrix of int64 pixel counts: rows are the truth, columns the prediction. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX
from desertseg.metrics.tally import Tally, plain

_MEANS = ("miou", "miou_all", "pixel_accuracy", "mean_accuracy", "mean_precision", "dice", "frequency_weighted_iou")
_PER_CLASS = ("iou", "precision", "recall", "accuracy", "dice")


class MetricError(UserError):
    """Labels, predictions or counts from which no true score can be computed."""


def count_confusion_numpy(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int, ignore_index: int = IGNORE_INDEX
) -> np.ndarray:
    """Return the confusion matrix, int64 (C, C): rows truth, columns prediction, ignored pixels left out.

    Args:
        labels: integers of any shape: class indices, or `ignore_index`.
        predictions: integers of the same shape: class indices. Under an ignored label any value goes.

    Raises:
        MetricError: shapes differ, or a value is out of range.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise MetricError(
            f"labels {labels.shape} and predictions {predictions.shape} differ in shape; score them at one size"
        )
    valid = labels != ignore_index
    truth, predicted = labels[valid].astype(np.int64), predictions[valid].astype(np.int64)
    for what, values in (("labels", truth), ("predictions", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < num_classes:
            bad = values[(values < 0) | (values >= num_classes)][0]
            raise MetricError(
                f"{what} hold {bad}; there are the classes 0..{num_classes - 1} and {ignore_index} for ignore"
            )
    counts = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
    return counts.astype(np.int64).reshape(num_classes, num_classes)


@dataclass(frozen=True, eq=False)
class Scores:
    """Every score of one confusion matrix, in float64. What has no value (0 / 0) is NaN.

    Args:
        confusion: integers (C, C), rows truth, columns prediction.
        names: C class names; None for "0" ... "C-1".
        unanswered: integers (C,): pixels of each class that were given no class at all; each is a miss of its class and
            a false alarm of none. None where every pixel was answered.

    Raises:
        MetricError: a matrix that is not square, not of integers or holds a negative count, or not one name a class.
    """

    confusion: np.ndarray
    names: Sequence[str] | None = None
    unanswered: np.ndarray | None = None

    def __post_init__(self) -> None:
        matrix = np.asarray(self.confusion)
        square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
        if not square or matrix.dtype.kind not in "ui" or (matrix < 0).any():
            raise MetricError(f"a confusion matrix is (C, C) pixel counts; this is {matrix.dtype} {matrix.shape}")
        names = tuple(str(n) for n in (range(len(matrix)) if self.names is None else self.names))
        if len(names) != len(matrix):
            raise MetricError(f"{len(names)} names for {len(matrix)} classes; give one name a class")
        unanswered = np.zeros(len(matrix), np.int64) if self.unanswered is None else np.asarray(self.unanswered)
        if unanswered.shape != (len(matrix),) or unanswered.dtype.kind not in "ui" or (unanswered < 0).any():
            raise MetricError(
                f"unanswered pixels are (C,) counts, one a class; these are {unanswered.dtype} {unanswered.shape}"
            )
        for name, counts in (("confusion", matrix), ("unanswered", unanswered)):
            counts = counts.astype(np.int64)
            counts.setflags(write=False)
            object.__setattr__(self, name, counts)
        object.__setattr__(self, "names", names)

    @property
    def num_classes(self) -> int:
        return len(self.confusion)

    @cached_property
    def tally(self) -> Tally:
        """The counts that every score follows from."""
        return Tally.of(self.confusion, self.unanswered)

    @property
    def hits(self) -> np.ndarray:
        """int64 (C,): pixels of each class that were predicted as it."""
        return self.tally.hits

    @property
    def pixels(self) -> np.ndarray:
        """int64 (C,): pixels of each class in the truth."""
        return self.tally.pixels

    @property
    def predicted(self) -> np.ndarray:
        """int64 (C,): pixels predicted as each class."""
        return self.tally.predicted

    @property
    def present(self) -> np.ndarray:
        """bool (C,): the classes that the truth has."""
        return self.tally.present

    @cached_property
    def per_class_iou(self) -> np.ndarray:
        """float64 (C,): hits / (truth + predicted - hits); NaN where a class is in neither truth nor prediction."""
        return self.tally.iou

    @property
    def miou(self) -> float:
        """Mean IoU over the classes present in the truth."""
        return float(self.tally.mean("iou"))

    @property
    def miou_all(self) -> float:
        """Mean IoU over all C classes; one that is in neither truth nor prediction counts 0. NaN without any pixel."""
        return float(self.tally.mean_of_all("iou"))

    @property
    def pixel_accuracy(self) -> float:
        """The share of pixels predicted rightly."""
        return float(self.tally.pixel_accuracy)

    @cached_property
    def per_class_accuracy(self) -> np.ndarray:
        """float64 (C,): hits / truth (recall); NaN where the truth lacks the class."""
        return self.tally.recall

    @property
    def per_class_recall(self) -> np.ndarray:
        """float64 (C,): what `per_class_accuracy` is, by its other name."""
        return self.per_class_accuracy

    @property
    def mean_accuracy(self) -> float:
        """Mean of the per-class accuracy over the classes present in the truth."""
        return float(self.tally.mean("recall"))

    @cached_property
    def per_class_precision(self) -> np.ndarray:
        """float64 (C,): hits / predicted; NaN where a class was never predicted."""
        return self.tally.precision

    @property
    def mean_precision(self) -> float:
        """Mean precision over the classes present in the truth; one that was never predicted counts 0."""
        return float(self.tally.mean("precision"))

    @cached_property
    def per_class_dice(self) -> np.ndarray:
        """float64 (C,): 2 hits / (truth + predicted), the F1 score; NaN where a class is in neither."""
        return self.tally.dice

    @property
    def dice(self) -> float:
        """Mean Dice over the classes present in the truth."""
        return float(self.tally.mean("dice"))

    @property
    def frequency_weighted_iou(self) -> float:
        """The IoU of the present classes, weighted by their share of the truth's pixels."""
        return float(self.tally.frequency_weighted_iou)

    @property
    def definition(self) -> str:
        """What `miou` is, in words."""
        return f"mean IoU over the {int(self.present.sum())} classes present in the truth"

    @property
    def definition_all(self) -> str:
        """What `miou_all` is, in words."""
        return f"mean IoU over all {self.num_classes} classes; a class absent from truth and prediction counts 0"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what has no value is None."""
        per_class = {
            key: dict(zip(self.names or (), map(plain, getattr(self, key)), strict=True))
            for key in (*(f"per_class_{name}" for name in _PER_CLASS), "pixels", "unanswered")
        }
        return {
            **{key: plain(getattr(self, key)) for key in _MEANS},
            **per_class,
            "definition": self.definition,
            "definition_all": self.definition_all,
            "confusion": self.confusion.tolist(),
        }
