"""The scores to expect where there are no labels, from how sure a model is of its answers. NumPy alone."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0, bias: np.ndarray | None = None) -> np.ndarray:
    """Return float64 (n, C): the probabilities of logits (n, C) divided by a temperature, plus a bias."""
    values = np.asarray(logits, np.float64) / temperature + (0 if bias is None else bias)
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def expected_confusion(probabilities: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the confusion matrix to expect, float64 (C, C): rows truth, columns prediction, in pixels.

    Each pixel counts in the column of its prediction, in all rows, by the probability that the row's class is the
    truth. So the diagonal is the sum of confidences, and if the probabilities are calibrated the matrix is right in
    the mean; then so is the IoU of a class of many pixels (Guerra et al., ELSA; Garg et al., Leveraging unlabeled data
    to predict out-of-distribution performance, ICLR 2022, call its trace average confidence). A network is nearly
    always too sure of what it has never seen, so the scores that follow are rather too high.

    Args:
        probabilities: (n, C), rows summing to 1.
        predictions: integers (n,), the classes that were answered.
    """
    probabilities = np.asarray(probabilities, np.float64)
    found = np.zeros((probabilities.shape[1],) * 2)
    for chosen in np.unique(predictions):
        found[:, chosen] = probabilities[predictions == chosen].sum(axis=0)
    return found


def separation(source: np.ndarray, target: np.ndarray) -> float:
    """Return the area under the ROC curve: how often a value of `target` exceeds one of `source`, ties counting half.

    0.5 says that the two cannot be told apart, 1 that every target value is larger. NaN where one is empty.
    """
    source, target = np.sort(np.asarray(source, np.float64)), np.asarray(target, np.float64)
    if not source.size or not target.size:
        return float("nan")
    below, upto = np.searchsorted(source, target, "left"), np.searchsorted(source, target, "right")
    return float((below + upto).mean() / (2 * len(source)))
