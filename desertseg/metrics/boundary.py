"""Boundary IoU and boundary F of label images: how well outlines are drawn, whatever lies inside. NumPy and OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX
from desertseg.metrics.confusion import MetricError
from desertseg.metrics.tally import plain, ratio

TOLERANCES = (2, 5)  # pixels, at the mask's own resolution
_NO_ANSWER = 254  # a prediction that is no class where the truth has one; a label map has 254 classes at most, 0..253
_STRIP = 1 << 17  # pixels that are counted together, so that they stay in the processor's cache
_WORD = 16  # classes whose contours travel through a dilation together, one bit each


@dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Pixel counts from which both scores follow; the sum of two frames' counts is the count of both.

    Args:
        tolerances: T distances in pixels.
        band_hits: int64 (T, C), pixels in the truth's band and in the prediction's band of the same class.
        band_truth: int64 (T, C), pixels of each class within a tolerance of its own outline, in the truth.
        band_predicted: int64 (T, C), the same in the prediction.
        contour_truth: int64 (C,), contour pixels of the truth.
        contour_predicted: int64 (C,), contour pixels of the prediction.
        near_truth: int64 (T, C), contour pixels of the truth with one of the prediction within a tolerance.
        near_predicted: int64 (T, C), contour pixels of the prediction with one of the truth within a tolerance.
    """

    tolerances: tuple[int, ...]
    band_hits: np.ndarray
    band_truth: np.ndarray
    band_predicted: np.ndarray
    contour_truth: np.ndarray
    contour_predicted: np.ndarray
    near_truth: np.ndarray
    near_predicted: np.ndarray

    @classmethod
    def zeros(cls, num_classes: int, tolerances: Sequence[int] = TOLERANCES) -> BoundaryCounts:
        """Return the counts of no frame, to add others to."""
        table, row = (len(tolerances), num_classes), (num_classes,)
        return cls(tuple(tolerances), *(np.zeros(s, np.int64) for s in (table, table, table, row, row, table, table)))

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        if self.tolerances != other.tolerances or self.band_hits.shape != other.band_hits.shape:
            raise MetricError(
                f"boundary counts of tolerances {self.tolerances} and {self.band_hits.shape[1]} classes cannot be "
                f"added to {other.tolerances} and {other.band_hits.shape[1]}"
            )
        arrays = (getattr(self, f.name) + getattr(other, f.name) for f in fields(self)[1:])
        return BoundaryCounts(self.tolerances, *arrays)

    @cached_property
    def iou(self) -> np.ndarray:
        """float64 (T, C): Boundary IoU; NaN where a class is in neither truth nor prediction."""
        return ratio(self.band_hits, self.band_truth + self.band_predicted - self.band_hits)

    @cached_property
    def f(self) -> np.ndarray:
        """float64 (T, C): boundary F; NaN where a class has a contour in neither, 0 where in one of them only."""
        precision = np.nan_to_num(ratio(self.near_predicted, self.contour_predicted))
        recall = np.nan_to_num(ratio(self.near_truth, self.contour_truth))
        score = np.nan_to_num(ratio(2 * precision * recall, precision + recall))
        return np.where(self.contour_truth + self.contour_predicted > 0, score, np.nan)


def count_boundaries(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, tolerances: Sequence[int] = TOLERANCES
) -> BoundaryCounts:
    """Return the boundary counts of one frame.

    Pixels that are 255 in the truth are left out: they belong to no class in the prediction either. A prediction of 255
    (or of anything that is no class) elsewhere is a missing answer: it is no pixel of any class.

    The band of a class, for Boundary IoU, is its pixels whose square of 2 d + 1 pixels holds something else; the frame
    ends there, and so does what is left out, as in the reference code of Cheng et al., Boundary IoU, CVPR 2021 (which
    takes d from the image's diagonal). A contour pixel, for boundary F, has another class among its four neighbours;
    the frame's edge and the edge of what is left out are nobody's drawing and no contour. It is matched by a contour
    pixel of its class within a Euclidean distance of d: Csurka et al., What is a good evaluation measure for semantic
    segmentation?, BMVC 2013, section 3.

    Args:
        truth: uint8 (H, W), class indices or 255.
        prediction: uint8 (H, W), class indices or 255 for no answer.
        num_classes: C, at most 254.
        tolerances: whole pixels >= 1.

    Raises:
        MetricError: other shapes or dtypes, a label that is no class, or a tolerance below 1.
    """
    truth, prediction = _check(truth, prediction, num_classes, tolerances)
    counts, halo = BoundaryCounts.zeros(num_classes, tolerances), max(tolerances) + 1
    rows = max(1, _STRIP // truth.shape[1])
    for top in range(0, len(truth), rows):
        seen = slice(max(0, top - halo), top + rows + halo)
        inner = slice(top - seen.start, top - seen.start + rows)
        counts += _count_strip(truth[seen], prediction[seen], inner, num_classes, tolerances)
    return counts


def boundary_scores(counts: BoundaryCounts, names: Sequence[str]) -> dict[str, Any]:
    """Return Boundary IoU and boundary F by tolerance, per class and in the mean, as plain JSON values.

    The means are over the classes whose outline the truth has; what has no value is None.
    """

    def table(values: np.ndarray, present: np.ndarray) -> dict[str, Any]:
        per_class = dict(zip(names, map(plain, values), strict=True))
        return {"mean": plain(values[present].mean()) if present.any() else None, "per_class": per_class}

    return {
        "definition": (
            "Boundary IoU: the IoU of each class's pixels within d pixels (a square) of its own outline; the frame's "
            "edge is outline. Boundary F: the F1 score of contour pixels, a hit being one with a contour pixel of its "
            "class within d pixels (a disk); the frame's edge is no contour. Pixels without a label are left out. "
            "Counted over all frames, not the mean of frames; means over the classes that the truth shows"
        ),
        "tolerances": list(counts.tolerances),
        "iou": {str(d): table(counts.iou[i], counts.band_truth[i] > 0) for i, d in enumerate(counts.tolerances)},
        "f": {str(d): table(counts.f[i], counts.contour_truth > 0) for i, d in enumerate(counts.tolerances)},
    }


def _check(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, tolerances: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with 255 for what is left out and 254 for what has no answer, or say what is wrong with them."""
    for what, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype != np.uint8 or labels.ndim != 2 or labels.shape != truth.shape or not labels.size:
            raise MetricError(
                f"{what} is {labels.dtype} {labels.shape} and the truth {truth.shape}; boundaries are counted on two "
                "label images, uint8 (H, W), of one size"
            )
    whole = len(tolerances) > 0 and all(type(d) is int and d >= 1 for d in tolerances)
    if not 1 <= num_classes <= _NO_ANSWER or not whole:
        raise MetricError(
            f"num_classes is {num_classes} and tolerances are {tolerances}; there are 1 to {_NO_ANSWER} classes, and "
            "a tolerance is a whole number of pixels, at least 1"
        )
    ignored = truth == IGNORE_INDEX
    if (unknown := (truth >= num_classes) & ~ignored).any():
        raise MetricError(f"the truth holds {truth[unknown][0]}; there are the classes 0..{num_classes - 1} and 255")
    prediction = np.where(prediction < num_classes, prediction, np.uint8(_NO_ANSWER))
    prediction[ignored] = IGNORE_INDEX
    return np.ascontiguousarray(truth), prediction


def _count_strip(
    truth: np.ndarray, prediction: np.ndarray, inner: slice, num_classes: int, tolerances: Sequence[int]
) -> BoundaryCounts:
    """Return the counts of the inner rows; the rows around them are there to be looked at."""
    bands = [(_find_band(truth, d), _find_band(prediction, d)) for d in tolerances]
    drawn, answered = _find_contours(truth), _find_contours(prediction)
    near = _find_near(_cut(truth, drawn), _cut(prediction, answered), num_classes, tolerances)
    agree = truth == prediction
    of_truth = [drawn, *(b for b, _ in bands), *(t for t, _ in near), *(b & other & agree for b, other in bands)]
    of_prediction = [answered, *(b for _, b in bands), *(p for _, p in near)]
    in_truth = _tally(truth[inner], [mask[inner] for mask in of_truth], num_classes)
    in_prediction = _tally(prediction[inner], [mask[inner] for mask in of_prediction], num_classes)
    last = len(tolerances) + 1
    return BoundaryCounts(
        tuple(tolerances),
        band_hits=in_truth[2 * last - 1 :],
        band_truth=in_truth[1:last],
        band_predicted=in_prediction[1:last],
        contour_truth=in_truth[0],
        contour_predicted=in_prediction[0],
        near_truth=in_truth[last : 2 * last - 1],
        near_predicted=in_prediction[last:],
    )


def _cut(labels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the labels there and 255 elsewhere."""
    return labels | (where - np.uint8(1))


def _find_band(labels: np.ndarray, tolerance: int) -> np.ndarray:
    """Return bool (H, W): pixels whose square of 2 * tolerance + 1 holds another label or reaches out of the frame."""
    square = np.ones((2 * tolerance + 1,) * 2, np.uint8)
    highest = cv2.dilate(labels, square, borderType=cv2.BORDER_CONSTANT, borderValue=IGNORE_INDEX)
    lowest = cv2.erode(labels, square, borderType=cv2.BORDER_CONSTANT, borderValue=IGNORE_INDEX)
    return highest != lowest


def _find_contours(labels: np.ndarray) -> np.ndarray:
    """Return bool (H, W): pixels with another label among their four neighbours, neither of the two left out."""
    contours, known = np.zeros(labels.shape, bool), labels != IGNORE_INDEX
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = (labels[first] != labels[second]) & known[first] & known[second]
        contours[first] |= differ
        contours[second] |= differ
    return contours


def _find_near(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, tolerances: Sequence[int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each tolerance the matched contour pixels of the truth and of the prediction, bool (H, W) each.

    Both come as contours: class indices there, 255 elsewhere.
    """
    near = [(np.zeros(truth.shape, bool), np.zeros(truth.shape, bool)) for _ in tolerances]
    classes = np.arange(num_classes)
    if num_classes > _WORD:
        classes = np.intersect1d(truth, prediction)
        classes = classes[classes < num_classes]
    for some in (classes[i : i + _WORD] for i in range(0, len(classes), _WORD)):
        table = np.zeros(256, np.uint16)
        table[some] = 1 << np.arange(len(some))
        bits, predicted_bits = cv2.LUT(truth, table), cv2.LUT(prediction, table)
        reaches = zip(_reach(bits, tolerances), _reach(predicted_bits, tolerances), strict=True)
        for (matched, found), (around_truth, around_prediction) in zip(near, reaches, strict=True):
            matched |= bits & around_prediction != 0
            found |= predicted_bits & around_truth != 0
    return near


def _tally(labels: np.ndarray, masks: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """Return int64 (len(masks), C): how many pixels each class has in each mask.

    Eight masks at a time become a byte a pixel, so that one histogram of bytes and labels counts them all.
    """
    parts = []
    for some in (masks[i : i + 8] for i in range(0, len(masks), 8)):
        codes = labels.astype(np.uint16)
        for k, mask in enumerate(some):
            codes |= mask.astype(np.uint16) << (8 + k)
        table = np.bincount(codes.ravel(), minlength=1 << 16).reshape(256, 256)[:, :num_classes]
        holds = np.arange(256) >> np.arange(len(some))[:, None] & 1
        parts.append(holds @ table)
    return np.concatenate(parts)


def _reach(bits: np.ndarray, tolerances: Sequence[int]) -> list[np.ndarray]:
    """Return for each tolerance uint16 (H, W): the union of the bits within that Euclidean distance.

    A disk is a stack of rows; the union over a row of half-width k + 1 is that over k and two more columns.
    """
    found, row = [bits.copy() for _ in tolerances], bits.copy()
    for half in range(max(tolerances) + 1):
        if half:
            _join(row[:, half:], bits[:, :-half])
            _join(row[:, :-half], bits[:, half:])
        for reached, tolerance in zip(found, tolerances, strict=True):
            for rise in range(tolerance + 1):
                if half == int(np.sqrt(tolerance**2 - rise**2)):
                    _join(reached[rise:], row[: max(0, len(row) - rise)])
                    _join(reached[: max(0, len(row) - rise)], row[rise:])
    return found


def _join(target: np.ndarray, bits: np.ndarray) -> None:
    np.bitwise_or(target, bits, out=target)
