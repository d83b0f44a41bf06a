from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from desertseg.data import Frame
from desertseg.engine.scoring import Answered, Scoring
from desertseg.labels import LabelClass, LabelMap
from desertseg.metrics.boundary import count_boundaries

MAP = LabelMap("abc", tuple(LabelClass(n, (i + 1,), (i, i, i)) for i, n in enumerate("abc")))


def answered(seed: int, scene: str = "x", **changes) -> Answered:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, (31, 20), np.uint8)
    truth[random.random(truth.shape) < 0.1] = 255
    prediction = np.where(random.random(truth.shape) < 0.6, truth % 3, random.integers(0, 3, truth.shape)).astype("u1")
    frame = Frame(Path(f"{seed}.png"), None, f"f{seed}", scene)
    return Answered(frame, truth, prediction, **changes)


def test_frames_add_up_to_scikit_learns_matrix() -> None:
    frames = [answered(seed, "xy"[seed % 2]) for seed in range(12)]
    with Scoring(MAP) as scoring:
        for frame in frames:
            scoring.add(frame)
        scoring.finish()
    valid = [f.truth != 255 for f in frames]
    expected = [
        confusion_matrix(f.truth[v], f.prediction[v], labels=[0, 1, 2]) for f, v in zip(frames, valid, strict=True)
    ]
    np.testing.assert_array_equal(scoring.confusions, expected)  # in the order in which they came
    np.testing.assert_array_equal(scoring.scores.confusion, np.sum(expected, axis=0))
    assert scoring.names == [f"f{seed}" for seed in range(12)]
    assert scoring.scenes == ["x", "y"] * 6
    rows = np.arange(31)
    for band, (low, high) in zip(scoring.bands, ((0, 10), (10, 21), (21, 31)), strict=True):
        inside = [v & ((rows >= low) & (rows < high))[:, None] for v in valid]
        truth = np.concatenate([f.truth[i] for f, i in zip(frames, inside, strict=True)])
        prediction = np.concatenate([f.prediction[i] for f, i in zip(frames, inside, strict=True)])
        np.testing.assert_array_equal(band[:, :3], confusion_matrix(truth, prediction, labels=[0, 1, 2]))
    assert scoring.boundary is not None
    expected_hits = sum(count_boundaries(f.truth, f.prediction, 3).band_hits for f in frames)
    np.testing.assert_array_equal(scoring.boundary.band_hits, expected_hits)


def test_a_pixel_without_an_answer_is_a_miss() -> None:
    frame = answered(0)
    prediction = frame.prediction.copy()
    prediction[:5] = 255
    with Scoring(MAP, boundaries=False, alternatives=["the same"]) as scoring:
        scoring.add(Answered(frame.frame, frame.truth, prediction, alternatives=prediction[None]))
        scoring.finish()
    valid = frame.truth != 255
    assert scoring.scores.pixels.sum() == valid.sum()
    right = (prediction == frame.truth)[valid].sum()
    assert scoring.scores.pixel_accuracy == pytest.approx(right / valid.sum())
    np.testing.assert_array_equal(
        scoring.unanswered[0], [(valid & (frame.truth == c) & (prediction == 255)).sum() for c in range(3)]
    )
    np.testing.assert_array_equal(scoring.other[0], scoring.bands.sum(axis=0))
    assert scoring.boundary is None


def test_confidence_and_other_priors_are_counted_too() -> None:
    random = np.random.default_rng(5)
    with Scoring(MAP, boundaries=False, alternatives=["other"]) as scoring:
        for seed in range(3):
            confidence = random.uniform(0.4, 1, (31, 20)).astype(np.float32)
            sample = random.normal(size=(7, 4, 3)).astype(np.float32)
            changes = {"confidence": confidence, "sample": sample, "stride": 5}
            scoring.add(answered(seed, alternatives=np.full((1, 31, 20), 1, np.uint8), **changes))
        scoring.finish()
    frames = [answered(seed) for seed in range(3)]
    labelled = sum(int((f.truth != 255).sum()) for f in frames)
    assert scoring.calibration is not None
    assert scoring.calibration.count.sum() == labelled
    assert scoring.other[0].sum() == scoring.other[0][:, 1].sum() == labelled
    assert len(scoring.sample) == sum(int((f.truth[::5, ::5] != 255).sum()) for f in frames)
