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


def _valid(labels, logits, ignore):
    """Return the valid pixels' labels and log-probabilities, one row a pixel."""
    x = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    rows = [(label, _log_softmax(row)) for label, row in zip(labels.reshape(-1), x, strict=True) if label != ignore]
    truth = np.array([label for label, _ in rows], int)
    return truth, np.array([row for _, row in rows]).reshape(-1, logits.shape[-1])


def _mean_over_present(cost, truth, num_classes, weights):
    present = [c for c in range(num_classes) if (truth == c).any()]
    shares = [1.0 if weights is None else weights[c] for c in present]
    return np.dot([cost(c) for c in present], shares) / sum(shares) if present else 0.0


def reference_tversky(labels, logits, weights=None, ignore=255, alpha=0.3, beta=0.7, gamma=1.0, smooth=0.0):
    """Salehi et al. 2017, equation 2; Abraham and Khan 2018, equation 4."""
    truth, log_p = _valid(labels, logits, ignore)
    p = np.exp(log_p)

    def cost(c):
        t = truth == c
        found, extra, missed = p[t, c].sum(), p[~t, c].sum(), (1 - p[t, c]).sum()
        return (1 - (found + smooth) / (found + alpha * extra + beta * missed + smooth)) ** (1 / gamma)

    return _mean_over_present(cost, truth, logits.shape[-1], weights)


def reference_lovasz(labels, logits, weights=None, ignore=255):
    """Berman et al. 2018, equations 8 and 9: the Jaccard loss of growing sets of mispredictions, set by set."""
    truth, log_p = _valid(labels, logits, ignore)

    def cost(c):
        region = set(np.flatnonzero(truth == c))
        errors = np.where(truth == c, 1 - np.exp(log_p[:, c]), np.exp(log_p[:, c]))
        total, outside, before = 0.0, 0, 0.0
        for wrong, i in enumerate(np.argsort(-errors, kind="stable"), start=1):
            outside += i not in region
            jaccard = wrong / (len(region) + outside)  # mispredicted pixels over their union with the class
            total += errors[i] * (jaccard - before)
            before = jaccard
        return total

    return _mean_over_present(cost, truth, logits.shape[-1], weights)


def reference_ohem(labels, logits, weights=None, ignore=255, threshold=0.7, keep=1 / 16):
    truth, log_p = _valid(labels, logits, ignore)
    costs = -log_p[np.arange(len(truth)), truth]
    order = np.argsort(-costs)
    hard = order[np.exp(-costs[order]) < threshold]
    if len(hard) < max(1, int(len(truth) * keep)):
        hard = order[: max(1, int(len(truth) * keep))]
    shares = np.ones(len(truth)) if weights is None else np.array(weights, float)[truth]
    return (shares * costs)[hard].sum() / shares[hard].sum() if len(hard) else 0.0


def reference_borders(labels, radius, ignore=255):
    borders = np.zeros(labels.shape, bool)
    for b, y, x in np.ndindex(labels.shape):
        around = labels[b, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        others = (around != ignore) & (around != labels[b, y, x])
        borders[b, y, x] = labels[b, y, x] != ignore and others.any()
    return borders


def reference_boundary(labels, logits, weights=None, ignore=255, radius=1, strength=2.0):
    borders = reference_borders(labels, radius, ignore)
    total = count = 0.0
    for at in np.ndindex(labels.shape):
        if labels[at] != ignore:
            weight = (1 + strength * borders[at]) * (1.0 if weights is None else weights[labels[at]])
            total -= weight * _log_softmax(logits[at].astype(np.float64))[labels[at]]
            count += weight
    return total / count if count else 0.0


@pytest.fixture(scope="session")
def reference():
    return {
        "Tversky": reference_tversky,
        "LovaszSoftmax": reference_lovasz,
        "OHEM": reference_ohem,
        "BoundaryCrossEntropy": reference_boundary,
        "borders": reference_borders,
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


def _differentiate(loss, compiled):
    """Return (logits, labels) -> (loss, gradient with respect to the logits)."""
    if keras.backend.backend() == "jax":
        import jax

        function = jax.value_and_grad(lambda x, y: loss(y, x))
        return jax.jit(function) if compiled else function
    import tensorflow as tf

    def function(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(y, x)
        return value, tape.gradient(value, x)

    return tf.function(function, jit_compile=True) if compiled else function


@pytest.fixture(scope="session")
def value_and_grad():
    """Return (loss, gradient with respect to the logits), compiled or eager; a loss is compiled once for all tests."""
    functions = {}

    def compute(loss, labels, logits, compiled=True):
        labels, logits = keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(logits)
        key = (type(loss), repr(loss.get_config()), compiled)
        if key not in functions:
            functions[key] = _differentiate(loss, compiled)
        value, gradient = functions[key](logits, labels)
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
