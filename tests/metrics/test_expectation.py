from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from sklearn.metrics import roc_auc_score

from desertseg.metrics.expectation import expected_confusion, separation, softmax
from desertseg.metrics.tally import Tally

RNG = np.random.default_rng(0)


def test_softmax_is_scipys() -> None:
    logits, bias = RNG.normal(size=(50, 4)) * 30, RNG.normal(size=4)
    np.testing.assert_allclose(softmax(logits), scipy.special.softmax(logits, axis=1), atol=1e-15)
    np.testing.assert_allclose(softmax(logits, 3, bias), scipy.special.softmax(logits / 3 + bias, axis=1), atol=1e-15)


def test_a_calibrated_model_is_expected_to_score_what_it_scores() -> None:
    """Truth is drawn from the probabilities themselves; then the expected counts are the true ones, in the mean."""
    probabilities = scipy.special.softmax(RNG.normal(size=(200_000, 4)) * 2 + [1, 0, 0, -1], axis=1)
    truth = (RNG.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    predictions = probabilities.argmax(axis=1)
    expected = expected_confusion(probabilities, predictions)
    counted = np.zeros((4, 4))
    np.add.at(counted, (truth, predictions), 1)
    np.testing.assert_allclose(expected, counted, atol=5 * np.sqrt(counted.max()))
    np.testing.assert_allclose(Tally.of(expected).iou, Tally.of(counted).iou, atol=0.005)
    assert expected.sum() == pytest.approx(len(truth))
    np.testing.assert_allclose(np.diag(expected).sum(), probabilities.max(axis=1).sum())


def test_certain_answers_give_a_diagonal() -> None:
    found = expected_confusion(np.eye(3)[[0, 0, 2]], np.array([0, 0, 2]))
    np.testing.assert_array_equal(found, np.diag([2, 0, 1]))


def test_separation_is_scikit_learns_area() -> None:
    source, target = RNG.integers(0, 9, 40), RNG.integers(3, 12, 30)  # with ties
    labels = np.repeat([0, 1], [40, 30])
    assert separation(source, target) == pytest.approx(roc_auc_score(labels, np.r_[source, target]))
    assert separation(source, source) == 0.5
    assert separation(source, source + 100) == 1
    assert np.isnan(separation(source, np.zeros(0)))
