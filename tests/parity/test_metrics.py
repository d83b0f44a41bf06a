"""Our scores against torchmetrics, where it is right; where it is not, a test says what it does instead."""

import numpy as np
import pytest
import torch
from torchmetrics.functional import classification as tm
from torchmetrics.functional.classification.calibration_error import _ce_compute
from torchmetrics.functional.segmentation import mean_iou

from desertseg.metrics import MeanIoU, Scores, count_confusion_numpy
from desertseg.metrics.calibration import BINS, Calibration
from desertseg.metrics.means import compute_means

pytestmark = pytest.mark.parity
C = 6
SINGLE = 2e-6  # torchmetrics divides in float32


@pytest.fixture(params=[0, 1])
def frames(request):
    """Labels (N, H, W) with 255 in places and predictions; every frame shows every class."""
    rng = np.random.default_rng(request.param)
    labels = rng.choice(C, (6, 17, 23), p=[0.4, 0.3, 0.15, 0.1, 0.03, 0.02])
    predictions = np.where(rng.random(labels.shape) < 0.6, labels, rng.integers(0, C, labels.shape))
    labels[rng.random(labels.shape) < 0.2] = 255
    assert all(set(np.unique(frame)) == {*range(C), 255} for frame in labels)
    return labels.astype(np.uint8), predictions.astype(np.uint8)


def tensors(*arrays):
    return [torch.from_numpy(a.astype(np.int64)) for a in arrays]


def theirs(score, labels, predictions, **options):
    truth, predicted = tensors(labels, predictions)
    return score(predicted, truth, num_classes=C, ignore_index=255, **options).numpy()


def count(frames):
    return Scores(count_confusion_numpy(*frames, C))


def test_confusion_matrix_in_numpy_and_on_the_device(frames):
    expected = theirs(tm.multiclass_confusion_matrix, *frames)
    np.testing.assert_array_equal(count(frames).confusion, expected)
    metric = MeanIoU(C)
    for label, prediction in zip(*frames, strict=True):
        metric.update_state(label[None], prediction[None].astype(np.int32))
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)
    assert float(metric.result()) == pytest.approx(theirs(tm.multiclass_jaccard_index, *frames), rel=SINGLE)


@pytest.mark.parametrize(
    ("ours", "score"),
    [
        ("per_class_iou", tm.multiclass_jaccard_index),
        ("per_class_dice", tm.multiclass_f1_score),
        ("per_class_precision", tm.multiclass_precision),
        ("per_class_recall", tm.multiclass_recall),
    ],
)
def test_scores_per_class(ours, score, frames):
    np.testing.assert_allclose(getattr(count(frames), ours), theirs(score, *frames, average="none"), rtol=SINGLE)


@pytest.mark.parametrize(
    ("ours", "score", "average"),
    [
        ("miou", tm.multiclass_jaccard_index, "macro"),
        ("frequency_weighted_iou", tm.multiclass_jaccard_index, "weighted"),
        ("dice", tm.multiclass_f1_score, "macro"),
        ("mean_precision", tm.multiclass_precision, "macro"),
        ("mean_accuracy", tm.multiclass_recall, "macro"),
        ("pixel_accuracy", tm.multiclass_accuracy, "micro"),
    ],
)
def test_means_over_classes(ours, score, average, frames):
    assert getattr(count(frames), ours) == pytest.approx(theirs(score, *frames, average=average), rel=SINGLE)


def test_means_over_images_and_over_batches_of_two(frames):
    labels, predictions = frames
    matrices = np.stack([count_confusion_numpy(*pair, C) for pair in zip(*frames, strict=True)])
    found = {m.key: m.value for m in compute_means(matrices, ["a"] * 6, list("abcdef"), intervals=False)}
    per_image = [theirs(tm.multiclass_jaccard_index, *pair, average="macro") for pair in zip(*frames, strict=True)]
    assert found["miou_image"] == pytest.approx(np.mean(per_image), rel=SINGLE)
    # One class is in neither truth nor prediction of the second batch: torchmetrics' macro leaves it out as well.
    labels[2:4][labels[2:4] == 5], predictions[2:4][predictions[2:4] == 5] = 0, 0
    matrices = np.stack([count_confusion_numpy(*pair, C) for pair in zip(*frames, strict=True)])
    found = {m.key: m.value for m in compute_means(matrices, ["a"] * 6, list("abcdef"), intervals=False)}
    batches = [theirs(tm.multiclass_jaccard_index, labels[i : i + 2], predictions[i : i + 2]) for i in (0, 2, 4)]
    assert found["miou_batch2"] == pytest.approx(np.mean(batches), rel=SINGLE)


def test_mean_per_image_of_their_segmentation_package(frames):
    labels, predictions = frames
    labels = np.where(labels == 255, 0, labels)  # it knows no ignored pixels
    matrices = np.stack([count_confusion_numpy(*pair, C) for pair in zip(labels, predictions, strict=True)])
    found = {m.key: m.value for m in compute_means(matrices, ["a"] * 6, list("abcdef"), intervals=False)}
    truth, predicted = tensors(labels, predictions)
    expected = mean_iou(predicted, truth, num_classes=C, input_format="index")
    assert found["miou_image"] == pytest.approx(expected.mean().item(), rel=SINGLE)


def test_a_class_that_is_only_predicted_lowers_their_macro_mean_but_not_ours(frames):
    labels, predictions = frames
    labels = np.where(labels == 5, 255, labels)
    scores = count((labels, predictions))
    assert scores.per_class_iou[5] == 0
    assert not scores.present[5]
    macro = theirs(tm.multiclass_jaccard_index, labels, predictions, average="macro")
    assert macro == pytest.approx(scores.miou_all, rel=SINGLE)
    assert scores.miou == pytest.approx(scores.miou_all * C / (C - 1))


def test_their_count_of_a_class_that_is_nowhere(frames):
    labels, predictions = (np.where(x == 5, 0, x) for x in frames)
    scores = count((labels, predictions))
    assert np.isnan(scores.per_class_iou[5])
    assert theirs(tm.multiclass_jaccard_index, labels, predictions, average="none")[5] == 0
    assert theirs(tm.multiclass_jaccard_index, labels, predictions) == pytest.approx(scores.miou, rel=SINGLE)


def probabilities(seed):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (3000, C)).astype(np.float32))
    values = torch.softmax(logits, dim=1)
    return values, torch.from_numpy(rng.integers(0, C, 3000) * (rng.random(3000) < 0.3)) % C


@pytest.mark.parametrize("seed", [0, 1])
def test_calibration_error(seed):
    values, labels = probabilities(seed)
    expected = tm.multiclass_calibration_error(values, labels, num_classes=C, n_bins=BINS, norm="l1")
    confidence, answer = values.max(dim=1)
    found = Calibration()
    found.add(confidence.numpy(), (answer == labels).numpy())
    assert found.ece == pytest.approx(expected.item(), rel=1e-5)  # float32 means of thousands of confidences


def test_their_calibration_error_gives_a_confidence_of_one_a_bin_of_its_own():
    """Sky is often that sure. In one bin, 0.95 too low and 1.0 too high make up for each other; in two they add up."""
    confidence, correct = np.float32([0.95, 1.0]), np.array([True, False])
    found = Calibration()
    found.add(confidence, correct)
    assert found.count.tolist() == [0] * (BINS - 1) + [2]
    assert found.ece == pytest.approx(abs(0.5 - 0.975))
    expected = _ce_compute(torch.from_numpy(confidence), torch.from_numpy(correct).float(), BINS, norm="l1")
    assert expected.item() == pytest.approx((0.05 + 1.0) / 2)
