"""The NumPy scores, held against scikit-learn."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from desertseg.metrics import MetricError, Scores, count_confusion_numpy


@st.composite
def labels_and_predictions(draw):
    num_classes = draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    few = rng.choice(num_classes, draw(st.integers(1, num_classes)), replace=False)  # so that classes are absent
    labels = np.where(rng.random((2, 9, 7)) < 0.2, 255, rng.choice(few, (2, 9, 7))).astype(np.uint8)
    labels[0, 0, 0] = few[0]
    predictions = np.where(
        rng.random(labels.shape) < 0.5, labels % num_classes, rng.integers(0, num_classes, labels.shape)
    )
    return labels, predictions, num_classes


@settings(max_examples=50, deadline=None, derandomize=True)
@given(labels_and_predictions())
def test_everything_equals_scikit_learn(case):
    labels, predictions, num_classes = case
    truth, predicted = labels[labels != 255], predictions[labels != 255]
    matrix = count_confusion_numpy(labels, predictions, num_classes)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(truth, predicted, labels=range(num_classes)))

    scores = Scores(matrix)
    present = np.unique(truth)
    either = np.union1d(present, predicted)

    def each(score, classes):
        values = np.full(num_classes, np.nan)
        values[classes] = score(truth, predicted, labels=classes, average=None, zero_division=0)
        return values

    np.testing.assert_allclose(scores.per_class_iou, each(sk.jaccard_score, either))
    np.testing.assert_allclose(scores.per_class_dice, each(sk.f1_score, either))
    np.testing.assert_allclose(scores.per_class_accuracy, each(sk.recall_score, present))
    np.testing.assert_allclose(scores.per_class_precision, each(sk.precision_score, np.unique(predicted)))
    every = {"labels": range(num_classes), "zero_division": 0}
    assert scores.miou == pytest.approx(sk.jaccard_score(truth, predicted, labels=present, average="macro"))
    assert scores.miou_all == pytest.approx(sk.jaccard_score(truth, predicted, average="macro", **every))
    assert scores.frequency_weighted_iou == pytest.approx(sk.jaccard_score(truth, predicted, average="weighted"))
    assert scores.dice == pytest.approx(sk.f1_score(truth, predicted, labels=present, average="macro"))
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    assert scores.mean_precision == pytest.approx(sk.precision_score(truth, predicted, **macro))
    assert scores.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, predicted))
    assert scores.mean_accuracy == pytest.approx(sk.recall_score(truth, predicted, labels=present, average="macro"))
    np.testing.assert_array_equal(scores.pixels, np.bincount(truth, minlength=num_classes))


def test_absent_and_phantom_classes_by_hand():
    # Class 0: 3 true, 1 hit. Class 1: 1 true, hit, predicted twice. Class 2: predicted once, never true. 3: never.
    scores = Scores(np.array([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), "abcd")
    np.testing.assert_allclose(scores.per_class_iou, [1 / 3, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(scores.per_class_accuracy, [1 / 3, 1, np.nan, np.nan])
    np.testing.assert_allclose(scores.per_class_dice, [2 / 4, 2 / 3, 0, np.nan])
    assert scores.miou == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores.miou_all == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert scores.definition == "mean IoU over the 2 classes present in the truth"
    assert scores.definition_all == "mean IoU over all 4 classes; a class absent from truth and prediction counts 0"
    values = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert values["per_class_iou"] == {"a": pytest.approx(1 / 3), "b": 0.5, "c": 0, "d": None}
    assert values["pixels"] == {"a": 3, "b": 1, "c": 0, "d": 0}
    assert values["confusion"] == scores.confusion.tolist()


def test_a_pixel_without_an_answer_is_a_miss_and_no_false_alarm():
    # Scikit-learn is given a fourth class that the truth never has.
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    predicted = np.array([0, 0, 3, 1, 1, 3, 2, 2, 2])
    counts = count_confusion_numpy(truth, predicted, 4)
    scores = Scores(counts[:3, :3], "abc", unanswered=counts[:3, 3])
    each = {"labels": range(3), "average": None}
    np.testing.assert_allclose(scores.per_class_iou, sk.jaccard_score(truth, predicted, **each))
    np.testing.assert_allclose(scores.per_class_dice, sk.f1_score(truth, predicted, **each))
    np.testing.assert_allclose(scores.per_class_recall, sk.recall_score(truth, predicted, **each))
    np.testing.assert_allclose(scores.per_class_precision, sk.precision_score(truth, predicted, **each))
    assert scores.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, predicted))
    np.testing.assert_array_equal(scores.pixels, [4, 2, 3])
    values = scores.to_dict()
    assert values["unanswered"] == {"a": 1, "b": 1, "c": 0}
    assert values["per_class_recall"] == values["per_class_accuracy"] == {"a": 0.5, "b": 0.5, "c": 1}
    assert values["per_class_precision"] == {"a": 1, "b": 0.5, "c": 1}


@pytest.mark.parametrize("unanswered", [np.zeros(2, int), np.zeros(3), np.array([0, -1, 0])])
def test_unanswered_pixels_are_counts(unanswered):
    with pytest.raises(MetricError, match="unanswered pixels are"):
        Scores(np.eye(3, dtype=int), unanswered=unanswered)


def test_without_pixels_there_is_no_score():
    scores = Scores(np.zeros((3, 3), np.int64))
    for value in (scores.miou, scores.miou_all, scores.pixel_accuracy, scores.dice, scores.mean_precision):
        assert np.isnan(value)
    for value in (scores.mean_accuracy, scores.frequency_weighted_iou):
        assert np.isnan(value)
    assert scores.to_dict()["miou"] is None


def test_counts_beyond_32_bits_stay_exact():
    huge = 2**45 + 1
    scores = Scores(np.array([[huge, 1], [3, huge]]))
    np.testing.assert_array_equal(scores.pixels, [huge + 1, huge + 3])
    assert 0 < 1 - scores.miou < 1e-12


def test_the_matrix_cannot_be_changed_afterwards():
    matrix = np.eye(2, dtype=np.int32)
    scores = Scores(matrix)
    matrix[0, 0] = 7
    assert scores.confusion[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        scores.confusion[0, 0] = 2


def test_values_that_are_no_class_are_refused():
    good = np.array([0, 1, 255], np.uint8)
    with pytest.raises(MetricError, match="labels hold 9"):
        count_confusion_numpy(np.array([0, 9, 255]), good, 2)
    with pytest.raises(MetricError, match="predictions hold 2"):
        count_confusion_numpy(good, np.array([0, 2, 5]), 2)
    with pytest.raises(MetricError, match="labels hold -1"):
        count_confusion_numpy(np.array([0, -1, 255]), good, 2)
    with pytest.raises(MetricError, match=r"labels \(3,\) and predictions \(2,\)"):
        count_confusion_numpy(good, good[:2], 2)
    # What was predicted where nobody knows the truth does not matter.
    np.testing.assert_array_equal(count_confusion_numpy(good, np.array([0, 1, 77]), 2), np.eye(2))


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3), int), np.ones((2, 2)), np.array([[1, -1], [0, 1]]), np.ones(4, int)]
)
def test_what_is_no_confusion_matrix_is_refused(matrix):
    with pytest.raises(MetricError, match="a confusion matrix is"):
        Scores(matrix)


def test_names_must_fit():
    with pytest.raises(MetricError, match="3 names for 2 classes"):
        Scores(np.eye(2, dtype=int), ["a", "b", "c"])
