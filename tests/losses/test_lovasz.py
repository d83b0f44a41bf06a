import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from desertseg.losses import LovaszSoftmax


def test_certain_predictions_cost_the_iou_that_they_miss(value):
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 1, 3, 255], np.uint8), (2, 6, 7))
    predictions = rng.integers(0, 5, labels.shape)
    logits = np.where(np.eye(5, dtype=bool)[predictions], 200, 0).astype(np.float32)
    valid = labels != 255
    scores = jaccard_score(labels[valid], predictions[valid], labels=[0, 1, 3], average=None)
    assert value(LovaszSoftmax(), labels, logits) == pytest.approx(1 - scores.mean(), rel=1e-6)
    weighted = np.dot(1 - scores, [1, 2, 5]) / 8
    assert value(LovaszSoftmax([1, 2, 9, 5, 9]), labels, logits) == pytest.approx(weighted, rel=1e-6)


def test_errors_that_share_a_bin_are_off_by_less_than_its_width(reference, value_and_grad):
    # 3,000 pixels whose probabilities lie within a few of the 4096 bins, and as many everywhere.
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, (1, 60, 100)).astype(np.uint8)
    logits = rng.normal(0, np.where(np.arange(60) < 30, 1e-3, 2)[None, :, None, None], (1, 60, 100, 3))
    value, gradient = value_and_grad(LovaszSoftmax(), labels, logits.astype(np.float32))
    assert value == pytest.approx(exact := reference["LovaszSoftmax"](labels, logits), abs=1 / 4096)
    assert value == pytest.approx(exact, rel=1e-4)
    # Along any direction the loss moves as the reference does: here, towards the truth.
    towards = np.eye(3)[labels] - 1 / 3
    moved = [reference["LovaszSoftmax"](labels, logits + step * towards) for step in (1e-2, -1e-2)]
    assert (gradient * towards).sum() == pytest.approx((moved[0] - moved[1]) / 2e-2, rel=1e-2)


def test_equal_errors_get_equal_gradients(value_and_grad):
    # A sort would give each pixel of a tie another gradient, by where it stands in memory.
    labels = np.array([[[0, 1, 0, 1, 0, 0]]], np.uint8)
    _, gradient = value_and_grad(LovaszSoftmax(), labels, np.zeros((1, 1, 6, 2), np.float32))
    for c in (0, 1):
        rows = gradient[labels == c]
        np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))
        assert rows[0, c] < 0


def test_not_a_number_stays_one(batch, value):
    labels, logits = batch
    logits = logits.copy()
    logits[0, 0, np.flatnonzero(labels[0, 0] != 255)[0], 0] = np.nan
    assert np.isnan(value(LovaszSoftmax(), labels, logits))
