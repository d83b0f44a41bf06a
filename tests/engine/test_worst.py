from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix, jaccard_score

from desertseg.data import Frame
from desertseg.engine.worst import WorstFrames, weak_classes
from desertseg.labels import LabelClass, LabelMap

MAP = LabelMap("abc", tuple(LabelClass(n, (i + 1,), (i, i, i)) for i, n in enumerate("abc")))


def test_the_frames_that_cost_a_class_most_are_kept() -> None:
    random = np.random.default_rng(0)
    worst, wrong, ious, predictions = WorstFrames(MAP, kept=3), [], [], []
    for number in range(10):
        truth = random.integers(0, 3 if number % 2 else 2, (16, 24)).astype(np.uint8)  # class c in every other frame
        prediction = np.where(random.random(truth.shape) < number / 10, truth, random.integers(0, 3, truth.shape))
        prediction = prediction.astype(np.uint8)
        matrix = confusion_matrix(truth.ravel(), prediction.ravel(), labels=[0, 1, 2])
        frame = Frame(Path(f"{number}.png"), None, str(number))
        worst.offer(frame, matrix, np.zeros(3, int), prediction)
        wrong.append(((truth == 2) ^ (prediction == 2)).sum() if number % 2 else -1)
        ious.append(jaccard_score(truth.ravel(), prediction.ravel(), labels=[2], average=None, zero_division=0)[0])
        predictions.append(prediction)
    (kept,) = worst.of([2]).values()
    expected = np.argsort(wrong)[::-1][:3]
    assert [int(k.frame.name) for k in kept] == expected.tolist()
    assert [k.wrong for k in kept] == np.array(wrong)[expected].tolist()
    np.testing.assert_allclose([k.iou for k in kept], np.array(ious)[expected])
    for k in kept:
        np.testing.assert_array_equal(k.prediction, predictions[int(k.frame.name)])


def test_weak_classes_are_those_under_a_half_or_the_weakest() -> None:
    iou = np.array([0.9, 0.2, np.nan, 0.4, 0.7, 0.8])
    present = np.array([True, True, False, True, True, True])
    assert weak_classes(iou, present) == [1, 3, 4]
    assert weak_classes(iou, present, below=0.75, least=1) == [1, 3, 4]
    assert weak_classes(iou, present, below=0.3, least=1) == [1]
