"""References in float64, written pixel by pixel, and one way to differentiate on either backend."""

import keras
import numpy as np
import pytest


def _log_softmax(x):
    x = x - x.max()
    return x - np.log(np.exp(x).sum())


def reference_cross_entropy(labels, logits, weights=None, ignore=255, gamma=0.0):
    total = count = 0.0
    for label, x in zip(labels.reshape(-1), logits.reshape(-1, logits.shape[-1]).astype(np.float64), strict=True):
        if label == ignore:
            continue
        log_p = _log_softmax(x)[label]
        weight = 1.0 if weights is None else weights[label]
        total += weight * (1.0 - np.exp(log_p)) ** gamma * -log_p
        count += weight
    return total / count if count else 0.0


def reference_dice(labels, logits, weights=None, ignore=255, smooth=0.0):
    num_classes = logits.shape[-1]
    x = logits.reshape(-1, num_classes).astype(np.float64)[labels.reshape(-1) != ignore]
    truth = labels.reshape(-1)[labels.reshape(-1) != ignore]
    p = np.array([np.exp(_log_softmax(row)) for row in x]).reshape(-1, num_classes)
    costs, shares = [], []
    for c in range(num_classes):
        t = truth == c
        if t.any():
            costs.append(1 - (2 * p[t, c].sum() + smooth) / (p[:, c].sum() + t.sum() + smooth))
            shares.append(1.0 if weights is None else weights[c])
    return np.dot(costs, shares) / sum(shares) if sum(shares) else 0.0


def reference_focal_dice(labels, logits, weights=None, ignore=255):
    focal = reference_cross_entropy(labels, logits, weights, ignore, gamma=2.0)
    return 4.0 * focal + reference_dice(labels, logits, weights, ignore)


@pytest.fixture(scope="session")
def reference():
    return {
        "CrossEntropy": reference_cross_entropy,
        "Focal": lambda *a, **k: reference_cross_entropy(*a, **{"gamma": 2.0, **k}),
        "Dice": reference_dice,
        "FocalDice": reference_focal_dice,
    }


@pytest.fixture(scope="session")
def differences():
    """The gradient of a float64 reference by central differences."""

    def differentiate(function, logits, step=1e-5):
        gradient = np.zeros(logits.shape)
        for at in np.ndindex(logits.shape):
            ahead, behind = logits.astype(np.float64), logits.astype(np.float64)
            ahead[at] += step
            behind[at] -= step
            gradient[at] = (function(ahead) - function(behind)) / (2 * step)
        return gradient

    return differentiate


@pytest.fixture(scope="session")
def value_and_grad():
    """Return (loss, gradient with respect to the logits), compiled or eager."""

    def compute(loss, labels, logits, compiled=True):
        labels, logits = keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(logits)
        if keras.backend.backend() == "jax":
            import jax

            function = jax.value_and_grad(lambda x, y: loss(y, x))
            value, gradient = (jax.jit(function) if compiled else function)(logits, labels)
        else:
            import tensorflow as tf

            def function(x, y):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    value = loss(y, x)
                return value, tape.gradient(value, x)

            value, gradient = (tf.function(function, jit_compile=True) if compiled else function)(logits, labels)
        return float(value), keras.ops.convert_to_numpy(keras.ops.cast(gradient, "float32"))

    return compute


@pytest.fixture(scope="session")
def value():
    """Return a loss as a float; compiled, which for a shape used once is faster than operation by operation."""

    def compute(loss, labels, logits):
        if keras.backend.backend() == "jax":
            import jax

            loss = jax.jit(loss)
        return float(loss(labels, logits))

    return compute


@pytest.fixture
def batch():
    """Labels uint8 (2, 3, 5) with ignore and without class 2; logits float32 (2, 3, 5, 4)."""
    rng = np.random.default_rng(7)
    labels = rng.choice(np.array([0, 1, 3, 255], np.uint8), (2, 3, 5), p=(0.4, 0.2, 0.2, 0.2))
    return labels, rng.normal(0, 2, (2, 3, 5, 4)).astype(np.float32)
