"""Every mean, held against scikit-learn on the pixels themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from desertseg.metrics import MetricError, Scores, count_confusion_numpy
from desertseg.metrics.means import compute_means

NAMES = ("Trees", "Logs", "Rocks", "Flowers", "Sky")
NO_ANSWER = 5


@st.composite
def frames_of_pixels(draw):
    """Labels and predictions of frames of 80 pixels; some classes are absent, some pixels ignored or unanswered."""
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    count = draw(st.integers(1, 7))
    few = generator.choice(5, draw(st.integers(1, 5)), replace=False)
    labels = np.where(generator.random((count, 80)) < 0.1, 255, generator.choice(few, (count, 80)))
    labels[:, 0] = few[0]
    guesses = generator.integers(0, 6 if draw(st.booleans()) else 5, labels.shape)
    return labels, np.where((generator.random(labels.shape) < 0.5) & (labels < 5), labels, guesses)


def count(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confusions (N, 5, 5) and unanswered pixels (N, 5), by way of a sixth class."""
    counts = np.stack([count_confusion_numpy(t, p, 6) for t, p in zip(labels, predictions, strict=True)])
    return counts[:, :5, :5], counts[:, :5, NO_ANSWER]


def present_iou(truth: np.ndarray, predicted: np.ndarray) -> float:
    valid = truth != 255
    truth, predicted = truth[valid], predicted[valid]
    return sk.jaccard_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)


def starter_batch(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The starter code's mean of one batch: of the IoU of every class whose union is not empty."""
    valid = truth != 255
    values = []
    for index in range(5):
        wanted, got = truth[valid] == index, predicted[valid] == index
        union = (wanted | got).sum()
        values.append((wanted & got).sum() / union if union else np.nan)
    return float(np.nanmean(values))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(frames_of_pixels())
def test_every_mean_equals_scikit_learn(case) -> None:
    labels, predictions = case
    confusions, unanswered = count(labels, predictions)
    found = {
        mean.key: mean.value
        for mean in compute_means(confusions, ["s"] * len(labels), NAMES, unanswered=unanswered, intervals=False)
    }
    truth, predicted = labels[labels != 255], predictions[labels != 255]
    present = np.unique(truth)
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    kept = ~np.isin(truth, [1, 3])
    half = sk.jaccard_score(truth, predicted, labels=present, average=None, zero_division=0) >= 0.5
    expected = {
        "miou": present_iou(truth, predicted),
        "miou_all": sk.jaccard_score(truth, predicted, labels=range(5), average="macro", zero_division=0),
        "miou_3": present_iou(truth[kept], predicted[kept]) if kept.any() else np.nan,
        "miou_image": np.mean([present_iou(t, p) for t, p in zip(labels, predictions, strict=True)]),
        "miou_batch2": np.mean(
            [starter_batch(labels[i : i + 2], predictions[i : i + 2]) for i in range(0, len(labels), 2)]
        ),
        "map50": half.mean(),
        "mean_dice": sk.f1_score(truth, predicted, **macro),
        "mean_precision": sk.precision_score(truth, predicted, **macro),
        "mean_recall": sk.recall_score(truth, predicted, **macro),
        "pixel_accuracy": sk.accuracy_score(truth, predicted),
        "frequency_weighted_iou": np.average(
            sk.jaccard_score(truth, predicted, labels=present, average=None, zero_division=0),
            weights=np.bincount(truth)[present],
        ),
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, nan_ok=True), key


def test_scores_say_the_same() -> None:
    generator = np.random.default_rng(0)
    confusions = generator.integers(0, 50, (4, 5, 5))
    unanswered = generator.integers(0, 50, (4, 5))
    found = {m.key: m for m in compute_means(confusions, ["s"] * 4, NAMES, unanswered=unanswered, intervals=False)}
    scores = Scores(confusions.sum(0), NAMES, unanswered.sum(0))
    for key, value in {
        "miou": scores.miou,
        "miou_all": scores.miou_all,
        "mean_dice": scores.dice,
        "mean_precision": scores.mean_precision,
        "mean_recall": scores.mean_accuracy,
        "pixel_accuracy": scores.pixel_accuracy,
        "frequency_weighted_iou": scores.frequency_weighted_iou,
    }.items():
        assert found[key].value == pytest.approx(value, rel=1e-12), key
    assert found["miou"].definition == scores.definition


def test_definitions_say_what_is_left_out() -> None:
    confusions = np.zeros((3, 5, 5), int)
    confusions[:, 0, 0] = confusions[:, 2, 1] = 4
    means = {m.key: m for m in compute_means(confusions, ["s", "s", "t"], NAMES)}
    assert next(iter(means)) == "miou"
    assert means["miou"].definition.startswith("mean IoU over the 2 classes present in the truth; 2 scenes are few")
    assert means["miou_3"].name == "mIoU, 3 classes"
    assert (
        "the 2 classes present in the truth but for Logs, Flowers: pixels of those are left out"
        in means["miou_3"].definition
    )
    assert "mean over 2 batches of two" in means["miou_batch2"].definition
    assert "24 pixels" in means["pixel_accuracy"].definition
    values = json.loads(json.dumps([m.to_dict() for m in means.values()], allow_nan=False))
    assert values[0]["value"] == 0.5
    assert values[0]["by_frame"] == [0.5, 0.5]


@pytest.mark.parametrize("without", [(), ("Gravel",), NAMES])
def test_nothing_or_everything_left_out_is_no_mean(without: tuple[str, ...]) -> None:
    means = compute_means(np.ones((2, 5, 5), int), ["s", "s"], NAMES, without=without, intervals=False)
    assert [m.key for m in means if m.key.startswith("miou_")] == ["miou_all", "miou_image", "miou_batch2"]


def test_a_class_that_a_draw_lacks_does_not_move_the_mean() -> None:
    # Every frame has the same perfect Trees; one frame of ten has Logs, all wrong. Without it a draw's mean would be 1.
    confusions = np.zeros((10, 5, 5), int)
    confusions[:, 0, 0] = 1000
    confusions[0, 1, 4] = 1
    means = {m.key: m for m in compute_means(confusions, ["s"] * 10, NAMES)}
    assert means["miou"].value == 0.5
    assert means["miou"].by_frame == (0.5, 0.5)
    assert means["miou_all"].by_frame == (pytest.approx(0.2), pytest.approx(0.2))
    # That is a mean over frames, 0.5 for the one; it is drawn up to 3 times (97.5 % quantile, binomial of 10 by 1/10).
    assert means["miou_image"].by_frame == (pytest.approx(1 - 3 * 0.05), 1.0)
    assert means["miou"].by_scene is None


def test_intervals_hold_the_value_and_repeat() -> None:
    generator = np.random.default_rng(3)
    confusions = generator.integers(0, 100, (30, 5, 5)) + 300 * np.eye(5, dtype=int)
    scenes = [f"s{i % 6}" for i in range(30)]
    means = compute_means(confusions, scenes, NAMES)
    assert means == compute_means(confusions, scenes, NAMES)
    for mean in means:
        if mean.key == "miou_batch2":
            assert mean.by_frame is mean.by_scene is None
            continue
        for low, high in (mean.by_frame, mean.by_scene):
            assert low <= mean.value <= high
    assert "few" not in means[0].definition


def test_frames_without_truth_have_no_say() -> None:
    confusions = np.stack([np.eye(5, dtype=int), np.zeros((5, 5), int)])
    means = {m.key: m.value for m in compute_means(confusions, ["s", "t"], NAMES)}
    assert means["miou_image"] == means["miou_batch2"] == means["miou"] == 1
    empty = compute_means(np.zeros((2, 5, 5), int), ["s", "t"], NAMES)
    assert all(np.isnan(m.value) and m.by_frame is None for m in empty)
    assert json.dumps([m.to_dict() for m in empty], allow_nan=False)


@pytest.mark.parametrize("shape", [(2, 5), (2, 4, 4), (3, 5, 5)])
def test_counts_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MetricError, match="do not fit 2 scenes and 5 names"):
        compute_means(np.zeros(shape, int), ["s", "t"], NAMES)
