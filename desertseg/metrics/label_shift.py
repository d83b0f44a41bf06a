"""Class shares of a desert without labels, estimated from what a model answers there. NumPy alone."""

from __future__ import annotations

import numpy as np

from desertseg.metrics.confusion import MetricError

FLOOR = 1e-4  # the smallest class share that `prior_bias` works with


def estimate_priors(
    probabilities: np.ndarray,
    source_prior: np.ndarray,
    *,
    iterations: int = 500,
    tolerance: float = 1e-6,
    strength: float = 0.0,
) -> np.ndarray:
    """Return the class shares of the pixels that the probabilities are of, float64 (C,), summing to 1.

    It assumes label shift: classes look as they did in training and only their shares differ. Then the likelihood of
    what was seen has one maximum over the shares, and EM climbs to it: Saerens, Latinne and Decaestecker, Adjusting the
    outputs of a classifier to new a priori probabilities, Neural Computation 14, 2002, equations 2.7 to 2.9. It trusts
    the probabilities to be calibrated: divide logits by a temperature fitted on the source first (Alexandari et al.,
    Maximum likelihood with bias-corrected calibration is hard to beat at label shift adaptation, ICML 2020).

    Args:
        probabilities: (N, C), the model's on N pixels of the target, N >= 1, rows summing to 1.
        source_prior: (C,), the class shares that the model was trained on; a class of share 0 keeps it.
        iterations: EM steps at most.
        tolerance: EM ends when no share moves by more.
        strength: >= 0, the pull towards `source_prior`: a Dirichlet prior that counts as strength * N pixels spread
            as in the source. 0 is the maximum likelihood. A network's probabilities are not the exact ones that theory
            asks for, and N pixels are not N independent draws: on real deserts 1 came closest to the true shares.

    Raises:
        MetricError: shapes that do not fit, no pixel, or values that are no probabilities.
    """
    values, source = _check(probabilities, source_prior)
    known = source > 0
    weights = known.astype(np.float64)  # target share / source share
    target = source
    for _ in range(iterations):
        evidence = np.maximum(values @ weights, np.finfo(np.float64).tiny)
        previous, target = target, weights * (values.T @ (1 / evidence)) + strength * len(values) * source
        target = target / target.sum()
        weights = np.divide(target, source, out=np.zeros_like(source), where=known)
        if np.abs(target - previous).max() <= tolerance:
            break
    return target


def prior_bias(target: np.ndarray, source: np.ndarray, *, floor: float = FLOOR, temperature: float = 1.0) -> np.ndarray:
    """Return log(target share / source share), float32 (C,): added to logits, it moves them to the target's shares.

    Args:
        target: (C,), class shares of the frames that are to be answered.
        source: (C,), class shares that the model was trained on.
        floor: shares below it count as it, so that no class is ruled out and none is raised without end.
        temperature: what divides the logits before they are probabilities; the bias, which is added before that, is
            larger by it. The same as the one with which the target's shares were estimated.

    Raises:
        MetricError: other shapes, or values that are no shares.
    """
    target, source = _check_shares(target, "the target's shares"), _check_shares(source, "the source's shares")
    if target.shape != source.shape or not 0 < floor < 1 or not 0 < temperature < np.inf:
        raise MetricError(
            f"{len(target)} target shares, {len(source)} source shares, a floor of {floor} and a temperature of "
            f"{temperature}; give one share of each a class, a floor between 0 and 1 and a temperature above 0"
        )
    return (temperature * np.log(np.maximum(target, floor) / np.maximum(source, floor))).astype(np.float32)


def _check(probabilities: np.ndarray, source_prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both in float64, the shares summing to 1, or say what is wrong with them."""
    values, source = np.asarray(probabilities, np.float64), _check_shares(source_prior, "the source's shares")
    if values.ndim != 2 or values.shape[1:] != source.shape or not len(values):
        raise MetricError(
            f"probabilities {values.shape} and {len(source)} class shares; they are (N, C), N >= 1, and (C,)"
        )
    sums = values.sum(axis=1)
    if not (values.min() >= 0 and np.abs(sums - 1).max() < 1e-2):  # float16 probabilities sum to 1 within 0.005
        raise MetricError("the probabilities are negative, NaN or do not sum to 1; give softmax outputs")
    return values, source


def _check_shares(shares: np.ndarray, what: str) -> np.ndarray:
    shares = np.asarray(shares, np.float64)
    if shares.ndim != 1 or not len(shares) or not (shares.min() >= 0 and 0 < shares.sum() < np.inf):
        raise MetricError(f"{what} are {shares}; they are C numbers >= 0, one a class, not all 0")
    return shares / shares.sum()
