"""What a model remembers of the frames that it was trained on, so that it can tell how far another desert is from them.

It travels in the model's `.keras` file. Every part is None where it is not known, as in files of before there was any.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

FILE = "familiarity.npz"
_VERSION = 1  # of the file; a later one is read as far as it is known
_MOST_AXES, _FRAMES_AN_AXIS = 64, 5
_FALSE_ALARMS = 0.01  # share of familiar frames that may be called unfamiliar
_ROUNDING = 1.001  # a frame at the threshold itself must not be judged by how a device rounds
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, ValueError, TypeError)


@dataclass(frozen=True, eq=False, repr=False)
class Familiarity:
    """Statistics of the frames that a model was trained on (train) and scored on meanwhile (val).

    Attributes:
        class_shares: each class's share of the labelled pixels of the training masks, float64 (C,).
        mean: of the pooled deepest features of the backbone over training frames, float32 (F,).
        axes: the principal axes of these, float32 (k, F), orthonormal.
        variances: along the axes, float32 (k,).
        residual: variance along every other direction.
        frames: how many training frames these are of.
        distances: of val frames, float32 (M,), ascending.
        appearance: colour and texture of training frames, float32 (N, S).
        appearance_names: S names of what its columns are.
        confidence: mean probability of the chosen class over pixels of val frames, at `temperature`.
        temperature: that the logits are divided by so that confidence on val frames is accuracy.
    """

    class_shares: np.ndarray | None = None
    mean: np.ndarray | None = None
    axes: np.ndarray | None = None
    variances: np.ndarray | None = None
    residual: float | None = None
    frames: int = 0
    distances: np.ndarray | None = None
    appearance: np.ndarray | None = None
    appearance_names: tuple[str, ...] = ()
    confidence: float | None = None
    temperature: float | None = None

    @property
    def knows_features(self) -> bool:
        """Whether distances of frames can be measured and judged."""
        return self.mean is not None and self.distances is not None

    @property
    def threshold(self) -> float:
        """The distance that one familiar frame in a hundred exceeds, infinite where nothing is known.

        It is judged by frames that were not trained on, as a network's features lie closer together on those that were:
        the 99th percentile of their distances, or where they are few that of a log-normal distribution of the same mean
        and deviation, whichever is larger.
        """
        if self.distances is None or not len(self.distances):
            return float("inf")
        logs = np.log(np.maximum(self.distances.astype(np.float64), 1e-12))
        spread = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
        tail = float(np.exp(logs.mean() + 2.326 * spread))
        rank = float(np.quantile(self.distances, 1 - _FALSE_ALARMS, method="higher"))
        return max(tail, rank * _ROUNDING)

    def unfamiliar(self, distances: Any) -> np.ndarray:
        """Return a bool array of the shape of `distances`: which lie outside of what was trained on."""
        return np.asarray(distances) > self.threshold

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return float64 (B,): how far features (B, F) lie from those of the training frames, about 1 for one of them.

        The root of the mean over F directions of the squared deviation, each in units of its own variance: a
        Mahalanobis distance under probabilistic principal components.

        Raises:
            ValueError: nothing is known of features.
        """
        if self.mean is None or self.axes is None or self.variances is None or self.residual is None:
            raise ValueError("this familiarity has no features")
        deviation, axes = np.asarray(features, np.float64) - self.mean, self.axes.astype(np.float64)
        along = deviation @ axes.T
        rest = ((deviation - along @ axes) ** 2).sum(axis=1)
        return np.sqrt(((along**2 / self.variances).sum(axis=1) + rest / self.residual) / len(self.mean))

    def save(self, path: str | Path) -> None:
        """Write what is known as an npz file."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in known.items() if value is not None}
        np.savez(path, version=_VERSION, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Familiarity | None:
        """Return what `save` wrote; None for a file that holds something else: no model is worth less for it."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                found = {f.name: arrays[f.name] for f in fields(cls) if f.name in arrays}
        except _DAMAGE:
            return None
        for name in ("residual", "confidence", "temperature"):
            found |= {name: float(found[name])} if name in found else {}
        found |= {"frames": int(found.get("frames", 0))}
        found |= {"appearance_names": tuple(str(n) for n in found.get("appearance_names", ()))}
        return cls(**found)


def principal_components(features: np.ndarray) -> dict[str, Any]:
    """Return what `Familiarity` takes of features float (N, F): mean, axes, variances, residual and frames.

    Probabilistic principal components (Tipping and Bishop 1999, section 3.2): the axes are the leading eigenvectors of
    the covariance, the residual is the mean of the eigenvalues that are left. There are at most 64 axes, and one for
    five frames: of 76 real frames 37 axes fitted the frames themselves, and put others like them 3.2 away rather than
    1.8.

    Raises:
        ValueError: fewer than two frames, or features that are not finite.
    """
    features = np.asarray(features, np.float64)
    count, channels = features.shape
    if count < 2 or not np.isfinite(features).all():
        raise ValueError(f"{count} frames with finite features {np.isfinite(features).all()}")
    mean = features.mean(axis=0)
    _, singular, directions = np.linalg.svd(features - mean, full_matrices=False)
    values = singular**2 / (count - 1)
    kept = max(1, min(_MOST_AXES, count // _FRAMES_AN_AXIS, channels - 1))
    tiny = max(values[0] * 1e-6, 1e-12)  # what no frame moved must not divide by zero
    residual = max(float(values[kept:].sum()) / max(1, channels - kept), tiny)
    return {
        "mean": mean.astype(np.float32),
        "axes": directions[:kept].astype(np.float32),
        "variances": np.maximum(values[:kept], residual).astype(np.float32),
        "residual": residual,
        "frames": count,
    }
