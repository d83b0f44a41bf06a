"""Calibration, held against a loop over pixels and a grid of temperatures."""

import json

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from desertseg.metrics import MetricError
from desertseg.metrics.calibration import BINS, Calibration, LogitSample, calibration_dict, fit_temperature


def pixels(n=4000, num_classes=5, temperature=1.0, seed=0):
    """Logits and labels drawn from their softmax; the logits then scaled, so that the right temperature is known."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, num_classes))
    drawn = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return (logits * temperature).astype(np.float32), drawn.astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_histogram_and_ece_equal_a_loop(dtype):
    rng = np.random.default_rng(0)
    confidence = rng.random((3, 700)).astype(dtype)
    confidence[0, :3] = 0, 1, 0.5
    correct = rng.random(confidence.shape) < confidence**2
    found = Calibration()
    found.add(confidence, correct)

    bins = [[] for _ in range(15)]
    for c, right in zip(confidence.ravel().tolist(), correct.ravel().tolist(), strict=True):
        bins[min(int(c * 15), 14)].append((c, right))
    ece = 0.0
    for i, members in enumerate(bins):
        assert found.count[i] == len(members)
        assert found.hits[i] == sum(right for _, right in members)
        assert found.confidence[i] == pytest.approx(sum(c for c, _ in members))
        gap = np.mean([right for _, right in members]) - np.mean([c for c, _ in members])
        ece += len(members) / confidence.size * abs(gap)
    assert found.ece == pytest.approx(ece)
    assert found.count.dtype == found.hits.dtype == np.int64
    assert found.confidence.dtype == np.float64


def test_frames_add_up_however_they_are_cut():
    rng = np.random.default_rng(1)
    confidence = rng.random(200_000).astype(np.float32)
    correct = rng.random(confidence.size) < 0.5
    whole, parts = Calibration(), [Calibration() for _ in range(3)]
    whole.add(confidence, correct)
    for part, c, r in zip(parts, np.array_split(confidence, 3), np.array_split(correct, 3), strict=True):
        part.add(c, r)
    total = parts[0] + parts[1] + parts[2]
    np.testing.assert_array_equal(total.count, whole.count)
    np.testing.assert_array_equal(total.hits, whole.hits)
    np.testing.assert_allclose(total.confidence, whole.confidence)


def test_bins_have_their_lower_edge():
    edges = np.arange(BINS + 1) / BINS
    found = Calibration()
    found.add(edges, np.zeros(len(edges), bool))
    np.testing.assert_array_equal(found.count, [1] * (BINS - 1) + [2])
    found.add(np.zeros((0, 4), np.float32), np.zeros((0, 4), bool))
    assert found.count.sum() == BINS + 1


def test_a_known_temperature_is_found():
    logits, labels = pixels(20_000, temperature=2.5)
    fitted = fit_temperature(logits, labels)
    assert fitted.temperature == pytest.approx(2.5, rel=0.03)  # 20,000 draws know it to a percent or so
    assert fitted.nll_scaled < fitted.nll
    before = Calibration()
    before.add(softmax(logits, axis=1).max(axis=1), logits.argmax(axis=1) == labels)
    assert before.ece > 0.1 > 0.02 > fitted.ece_scaled
    assert fitted.pixels == 20_000


@pytest.mark.parametrize("true", [0.4, 1.0, 6.0])
def test_the_temperature_equals_the_best_of_a_grid(true):
    logits, labels = pixels(1500, temperature=true, seed=3)
    fitted = fit_temperature(logits.reshape(30, 50, 5), labels.reshape(30, 50))

    def nll(temperature):
        return -log_softmax(logits.astype(np.float64) / temperature, axis=1)[np.arange(len(labels)), labels].mean()

    grid = true * np.exp(np.linspace(-0.3, 0.3, 601))
    costs = [nll(t) for t in grid]
    assert fitted.temperature == pytest.approx(grid[np.argmin(costs)], rel=1e-3)  # the grid's step
    assert fitted.nll_scaled == pytest.approx(min(costs), abs=1e-6)
    assert fitted.nll == pytest.approx(nll(1.0))
    after = Calibration()
    probabilities = softmax(logits.astype(np.float64) / fitted.temperature, axis=1)
    after.add(probabilities.max(axis=1), logits.argmax(axis=1) == labels)
    assert fitted.ece_scaled == pytest.approx(after.ece)


def test_a_model_that_is_always_right_gets_a_cold_temperature():
    fitted = fit_temperature(np.eye(3)[[0, 1, 2, 1]] * 4, np.array([0, 1, 2, 1]))
    assert 0.05 <= fitted.temperature < 0.15  # from where on the likelihood is 1
    assert fitted.nll_scaled < 1e-9


def test_pixels_without_a_label_do_not_count():
    logits, labels = pixels(500)
    hidden = labels.copy()
    hidden[::3] = 255
    kept = hidden != 255
    assert fit_temperature(logits, hidden) == fit_temperature(logits[kept], labels[kept])


def test_the_sample_is_bounded_and_takes_the_same_share_of_every_frame():
    sample = LogitSample(limit=1000)
    sizes = [100, 900, 2500, 400, 100] * 4
    for frame, size in enumerate(sizes):
        labels = np.full(size + 7, frame, np.uint8)
        labels[:7] = 255
        sample.add(np.tile(np.arange(20, dtype=np.float32), (size + 7, 1)) + frame, labels)
        assert len(sample) <= 1000
    taken = np.bincount(sample.labels, minlength=20)
    assert 500 < len(sample) == taken.sum() == len(sample.logits)
    np.testing.assert_allclose(taken, np.array(sizes) * sample.threshold, atol=1)
    np.testing.assert_array_equal(sample.logits[:, 0], sample.labels)  # each pixel has its own label
    assert sample.logits.dtype == np.float32


def test_a_small_sample_is_everything_and_it_is_the_same_each_time():
    logits, labels = pixels(300)
    first, second = LogitSample(), LogitSample()
    for sample in (first, second):
        sample.add(logits[:200].reshape(10, 20, 5), labels[:200].reshape(10, 20))
        sample.add(logits[200:], labels[200:])
    np.testing.assert_array_equal(first.logits, logits)
    np.testing.assert_array_equal(second.labels, labels)
    small, again = (LogitSample(limit=50) for _ in range(2))
    for sample in (small, again):
        sample.add(logits, labels)
    np.testing.assert_array_equal(small.logits, again.logits)


def test_a_sample_of_many_more_frames_than_pixels():
    sample = LogitSample(limit=20)
    for frame in range(400):
        sample.add(np.zeros((3, 2)), np.full(3, frame % 2))
    assert 5 <= len(sample) <= 20
    assert LogitSample().logits.shape == (0, 0)


def test_the_dictionary_is_plain():
    logits, labels = pixels(3000, temperature=3)
    histogram, sample = Calibration(), LogitSample()
    histogram.add(softmax(logits, axis=1).max(axis=1), logits.argmax(axis=1) == labels)
    sample.add(logits, labels)
    values = json.loads(json.dumps(calibration_dict(histogram, sample), allow_nan=False))
    assert values["ece"] == pytest.approx(histogram.ece)
    assert values["temperature"] == pytest.approx(3, rel=0.1)
    assert values["ece_scaled"] < values["ece"]
    assert values["nll_scaled"] < values["nll"]
    assert values["sampled_pixels"] == 3000
    assert [b["count"] for b in values["bins"]] == histogram.count.tolist()
    assert values["bins"][0] == {"low": 0, "high": 1 / 15, "count": 0, "confidence": None, "accuracy": None}
    assert values["bins"][-1]["accuracy"] == pytest.approx(histogram.hits[-1] / histogram.count[-1])
    nothing = calibration_dict(Calibration())
    assert nothing["ece"] is nothing["temperature"] is nothing["nll_scaled"] is None
    assert np.isnan(Calibration().ece)


def test_what_is_no_confidence_is_refused():
    right = np.ones(3, bool)
    for bad in ([0.5, np.nan, 1], [0.5, -0.1, 1], [0.5, 1.5, 1]):
        with pytest.raises(MetricError, match="confidences lie in"):
            Calibration().add(np.array(bad), right)
    for confidence, correct in (
        (np.ones(2), right),
        (np.ones(3, np.uint8), right),
        (np.ones(3), right.astype(np.uint8)),
    ):
        with pytest.raises(MetricError, match="floats and bools"):
            Calibration().add(confidence, correct)


def test_logits_that_cannot_be_used_are_refused():
    logits, labels = pixels(4)
    with pytest.raises(MetricError, match="NaN or infinity"):
        LogitSample().add(np.full((4, 5), np.nan), labels)
    with pytest.raises(MetricError, match="labels hold 9"):
        fit_temperature(logits, np.array([0, 1, 9, 255]))
    with pytest.raises(MetricError, match=r"logits \(4, 5\)"):
        fit_temperature(logits, labels[:2])
    with pytest.raises(MetricError, match="no pixel has a label"):
        fit_temperature(logits, np.full(4, 255))
    with pytest.raises(MetricError, match="at least 1"):
        LogitSample(limit=0)
