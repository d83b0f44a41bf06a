"""Does a model know how sure it may be? Confidence against accuracy by bin, and the temperature that mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from desertseg.labels import IGNORE_INDEX
from desertseg.metrics.confusion import MetricError

BINS = 15
_CHUNK = 1 << 16  # bincount widens to 8 bytes; by chunks that stays in the processor's cache
_COLDEST, _HOTTEST = 0.05, 20.0  # the temperatures that are tried


@dataclass(frozen=True, eq=False)
class Calibration:
    """A histogram of pixels over 15 equal bins of confidence; the sum of two is the histogram of both.

    A bin is [low, high), the last one [low, 1].

    Args:
        count: int64 (15,), pixels.
        hits: int64 (15,), pixels whose answer is right.
        confidence: float64 (15,), sum of the confidences.
    """

    count: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    hits: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    confidence: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.float64))

    def add(self, confidence: np.ndarray, correct: np.ndarray) -> None:
        """Count pixels. Those without a label have no place here: give `confidence[valid]` and `correct[valid]`.

        Args:
            confidence: floats of any shape in [0, 1], the probability of the answer.
            correct: bool of the same shape, whether the answer is right.

        Raises:
            MetricError: shapes differ, or a confidence is NaN or outside [0, 1].
        """
        confidence, correct = np.asarray(confidence), np.asarray(correct)
        if confidence.shape != correct.shape or confidence.dtype.kind != "f" or correct.dtype != bool:
            raise MetricError(
                f"confidence is {confidence.dtype} {confidence.shape} and correct {correct.dtype} {correct.shape}; "
                "they are floats and bools of one shape"
            )
        if not confidence.size:
            return
        low, high = confidence.min(), confidence.max()
        if not (low >= 0 and high <= 1.001):  # a sum of rounded probabilities passes 1 a little
            raise MetricError(f"confidences lie in {low}..{high}; they are probabilities, in 0..1")
        confidence, correct = confidence.reshape(-1), correct.reshape(-1)
        for i in range(0, len(confidence), _CHUNK):
            self._add(confidence[i : i + _CHUNK], correct[i : i + _CHUNK])

    def _add(self, confidence: np.ndarray, correct: np.ndarray) -> None:
        bins = np.minimum((confidence * confidence.dtype.type(BINS)).astype(np.uint8), BINS - 1)
        both = np.bincount(bins + BINS * correct, minlength=2 * BINS).reshape(2, BINS)
        self.count[:] += both.sum(axis=0)
        self.hits[:] += both[1]
        self.confidence[:] += np.bincount(bins, weights=confidence, minlength=BINS)

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.count + other.count, self.hits + other.hits, self.confidence + other.confidence)

    @property
    def ece(self) -> float:
        """The expected calibration error: the bins' |accuracy - mean confidence|, weighted by pixels. NaN of nothing.

        Source: Guo et al., On calibration of modern neural networks, ICML 2017, equation 3.
        """
        pixels = self.count.sum()
        return float(np.abs(self.hits - self.confidence).sum() / pixels) if pixels else float("nan")

    def to_bins(self) -> list[dict[str, Any]]:
        """Return one entry a bin for JSON: low, high, count, mean confidence and accuracy (None in an empty bin)."""

        def mean(total: np.ndarray, i: int) -> float | None:
            return float(total[i] / self.count[i]) if self.count[i] else None

        return [
            {
                "low": i / BINS,
                "high": (i + 1) / BINS,
                "count": int(self.count[i]),
                "confidence": mean(self.confidence, i),
                "accuracy": mean(self.hits, i),
            }
            for i in range(BINS)
        ]


class LogitSample:
    """A bounded sample of pixels' logits and labels, taken evenly over all frames, however many come.

    Each pixel has a place in [0, 1) that its frame's pixels fill evenly in random order; kept are those below a
    threshold, which halves whenever there are too many. So at any time the same share of each frame is held.

    Args:
        limit: pixels kept at most.
        seed: of the random order. The sample depends on the order of the frames and on nothing else.
    """

    def __init__(self, limit: int = 200_000, seed: int = 0) -> None:
        if limit < 1:
            raise MetricError(f"limit is {limit}; a sample holds at least 1 pixel")
        self.limit, self.threshold = int(limit), 1.0
        self._random = np.random.default_rng(seed)
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # places, logits, labels
        self._held = 0

    def add(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Offer a frame's pixels: logits (..., C), labels integers (...), those of 255 left out.

        Raises:
            MetricError: shapes do not fit, a label is no class, or a logit is NaN or infinite.
        """
        logits, labels = _check_pixels(logits, labels)
        places = (self._random.permutation(len(labels)) + self._random.random()) / max(1, len(labels))
        kept = places < self.threshold
        self._parts.append((places[kept], logits[kept].astype(np.float32), labels[kept]))
        self._held += int(kept.sum())
        while self._held > self.limit:
            self._thin()

    def _thin(self) -> None:
        self.threshold /= 2
        places, logits, labels = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
        kept = places < self.threshold
        self._parts = [(places[kept], logits[kept], labels[kept])]
        self._held = int(kept.sum())

    def __len__(self) -> int:
        return self._held

    @property
    def logits(self) -> np.ndarray:
        """float32 (n, C), in the order in which they came; (0, 0) before the first."""
        return np.concatenate([p[1] for p in self._parts]) if self._parts else np.zeros((0, 0), np.float32)

    @property
    def labels(self) -> np.ndarray:
        """uint8 (n,)."""
        return np.concatenate([p[2] for p in self._parts]) if self._parts else np.zeros(0, np.uint8)


@dataclass(frozen=True)
class Temperature:
    """What a temperature does: logits divided by it.

    Args:
        temperature: above 1 the model was too sure, below 1 not sure enough.
        nll: the mean negative log-likelihood of the labels before, in nats a pixel.
        nll_scaled: after.
        ece_scaled: the expected calibration error after.
        pixels: how many it was fitted on.
    """

    temperature: float
    nll: float
    nll_scaled: float
    ece_scaled: float
    pixels: int


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> Temperature:
    """Return the temperature in 0.05..20 that makes the labels most likely, and what it changes.

    The likelihood is concave in 1 / temperature, so the maximum is the only one. Source: Guo et al., On calibration of
    modern neural networks, ICML 2017, section 4.2.

    Args:
        logits: (..., C), finite. Of a model with suppressed classes (logits of -1e9) give the others alone.
        labels: integers (...); pixels of 255 are left out.

    Raises:
        MetricError: no pixel, shapes that do not fit, a label that is no class, or a logit that is not finite.
    """
    from scipy.optimize import minimize_scalar  # a third of a second, which only this function pays

    logits, labels = _check_pixels(logits, labels)
    if not len(labels):
        raise MetricError("a temperature cannot be fitted: no pixel has a label")
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]

    def cost(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((np.log(np.exp(shifted * inverse).sum(axis=1)) - chosen * inverse).mean())

    found = minimize_scalar(cost, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    temperature = float(np.exp(found.x))
    scaled = Calibration()
    scaled.add(1 / np.exp(shifted / temperature).sum(axis=1), shifted.argmax(axis=1) == labels)
    return Temperature(temperature, cost(0.0), float(found.fun), scaled.ece, len(labels))


def calibration_dict(calibration: Calibration, sample: LogitSample | None = None) -> dict[str, Any]:
    """Return everything as plain JSON values; what has no value is None."""
    fitted = fit_temperature(sample.logits, sample.labels) if sample is not None and len(sample) else None
    return {
        "ece": calibration.ece if calibration.count.any() else None,
        "bins": calibration.to_bins(),
        "temperature": fitted and fitted.temperature,
        "ece_scaled": fitted and fitted.ece_scaled,
        "nll": fitted and fitted.nll,
        "nll_scaled": fitted and fitted.nll_scaled,
        "sampled_pixels": fitted.pixels if fitted else 0,
        "definition": (
            f"pixel ECE over {BINS} equal bins of the answer's probability: |accuracy - mean confidence|, weighted by "
            "pixels. The temperature is fitted on a sample of these same labelled pixels, spread evenly over the "
            "frames: it says how far off the model's confidence is here, not what another desert needs"
        ),
    }


def _check_pixels(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labelled pixels' logits (n, C) and labels uint8 (n,), or say what is wrong with them."""
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.shape[:-1] != labels.shape or not logits.ndim:
        raise MetricError(f"logits {logits.shape} and labels {labels.shape}; they are (..., C) and (...)")
    valid = labels != IGNORE_INDEX
    logits, labels = logits[valid], labels[valid]
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        bad = labels[(labels < 0) | (labels >= logits.shape[1])][0]
        raise MetricError(f"labels hold {bad}; there are the classes 0..{logits.shape[1] - 1} and 255 for ignore")
    if not np.isfinite(logits).all():
        raise MetricError("logits hold NaN or infinity; the model's answer is damaged")
    return logits, labels.astype(np.uint8)
