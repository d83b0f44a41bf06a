"""Boundary IoU and boundary F, held against plain implementations class by class on scipy.ndimage."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from desertseg.metrics import MetricError, boundary
from desertseg.metrics.boundary import BoundaryCounts, boundary_scores, count_boundaries

FOUR = ndimage.generate_binary_structure(2, 1)
EIGHT = ndimage.generate_binary_structure(2, 2)


def band(mask, d):
    """Cheng et al.'s mask_to_boundary: pad by a pixel of nothing, erode d times by a 3 x 3 square, subtract."""
    eroded = ndimage.binary_erosion(np.pad(mask, 1), EIGHT, iterations=d)
    return mask & ~eroded[1:-1, 1:-1]


def contour(labels, c, left_out):
    """Pixels of a class with another label next to them; neither the frame's edge nor what is left out is one."""
    others = (labels != c) & ~left_out
    return (labels == c) & ~left_out & ndimage.binary_dilation(others, FOUR)


def count_near(mask, others, d):
    """How many pixels of the mask have one of the others within d."""
    if not others.any():
        return 0
    return int((mask & (ndimage.distance_transform_edt(~others) <= d)).sum())


def reference(truth, prediction, num_classes, tolerances):
    left_out = truth == 255
    counts = BoundaryCounts.zeros(num_classes, tolerances)
    for c in range(num_classes):
        true, predicted = truth == c, (prediction == c) & ~left_out
        drawn, answered = contour(truth, c, left_out), contour(prediction, c, left_out)
        counts.contour_truth[c], counts.contour_predicted[c] = drawn.sum(), answered.sum()
        for i, d in enumerate(tolerances):
            counts.band_truth[i, c], counts.band_predicted[i, c] = band(true, d).sum(), band(predicted, d).sum()
            counts.band_hits[i, c] = (band(true, d) & band(predicted, d)).sum()
            counts.near_truth[i, c] = count_near(drawn, answered, d)
            counts.near_predicted[i, c] = count_near(answered, drawn, d)
    return counts


def arrays(counts):
    return {name: value.tolist() for name, value in vars(counts).items() if isinstance(value, np.ndarray)}


def blobs(rng, shape, num_classes, smoothness):
    """A label image of regions: at each pixel the class whose smoothed noise is the largest."""
    noise = ndimage.gaussian_filter(rng.normal(size=(num_classes, *shape)), (0, smoothness, smoothness))
    return noise.argmax(axis=0).astype(np.uint8)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    num_classes=st.sampled_from([1, 2, 5, 20, 40]),
    smoothness=st.sampled_from([0.5, 2, 5]),
    tolerances=st.sampled_from([(1,), (2, 5), (3, 2, 7)]),
    holes=st.booleans(),
)
def test_counts_equal_the_plain_ones(seed, shape, num_classes, smoothness, tolerances, holes):
    rng = np.random.default_rng(seed)
    truth = blobs(rng, shape, num_classes, smoothness)
    prediction = np.where(blobs(rng, shape, 2, smoothness) == 0, truth, blobs(rng, shape, num_classes, smoothness))
    if holes:
        truth[blobs(rng, shape, 4, 2) == 0] = 255
        prediction[blobs(rng, shape, 8, 2) == 0] = 255
    found = count_boundaries(truth, prediction, num_classes, tolerances)
    assert arrays(found) == arrays(reference(truth, prediction, num_classes, tolerances))
    assert all(v.dtype == np.int64 for v in vars(found).values() if isinstance(v, np.ndarray))


@pytest.mark.parametrize("rows", [1, 9, 64, 1000])
def test_a_frame_of_real_proportions_however_it_is_cut(rows, monkeypatch):
    monkeypatch.setattr(boundary, "_STRIP", rows * 120)
    rng = np.random.default_rng(0)
    truth, holes = blobs(rng, (90, 120), 20, 4), blobs(rng, (90, 120), 9, 6)
    prediction = np.roll(truth, 2, axis=1)
    truth[holes == 0], prediction[holes == 1] = 255, 255
    found = count_boundaries(truth, prediction, 20)
    assert found.tolerances == (2, 5)
    assert arrays(found) == arrays(reference(truth, prediction, 20, (2, 5)))
    # Moved by two pixels, the contour lies within two but for what came in at the side or was not answered.
    assert np.median(found.f[0]) > 0.85 > 0.7 > np.median(found.iou[0])


def test_a_perfect_answer_scores_one_and_none_scores_zero():
    truth = np.zeros((20, 30), np.uint8)
    truth[5:15, 10:20] = 1
    perfect = count_boundaries(truth, truth, 3)
    np.testing.assert_array_equal(perfect.iou, [[1, 1, np.nan]] * 2)
    np.testing.assert_array_equal(perfect.f, [[1, 1, np.nan]] * 2)
    silent = count_boundaries(truth, np.full_like(truth, 255), 3)
    np.testing.assert_array_equal(silent.iou, [[0, 0, np.nan]] * 2)
    np.testing.assert_array_equal(silent.f, [[0, 0, np.nan]] * 2)


def test_by_hand():
    # A step edge between columns 9 and 10, predicted three pixels to the right, in 20 columns of one row.
    truth = np.repeat(np.uint8([[0] * 10 + [1] * 10]), 40, axis=0)
    prediction = np.roll(truth, 3, axis=1)
    prediction[:, :3] = 0
    counts = count_boundaries(truth, prediction, 2, (2, 3))
    np.testing.assert_array_equal(counts.contour_truth, [40, 40])
    np.testing.assert_array_equal(counts.near_truth, [[0, 0], [40, 40]])
    np.testing.assert_array_equal(counts.f, [[0, 0], [1, 1]])
    # d = 2: class 0's band is two rows above and below of 10 columns, two columns at either end of the 36 between.
    assert counts.band_truth[0, 0] == 2 * 2 * 10 + 36 * 4
    assert counts.band_predicted[0, 0] == 2 * 2 * 13 + 36 * 4
    assert counts.band_hits[0, 0] == 2 * 2 * 10 + 36 * 2  # at the edge of the frame only


def test_what_has_no_label_makes_no_contour():
    truth = np.zeros((10, 10), np.uint8)
    truth[:, 4:6] = 255
    prediction = np.zeros_like(truth)
    prediction[:, 4:6] = 1  # where nobody knows
    counts = count_boundaries(truth, prediction, 2)
    assert counts.contour_truth.sum() == counts.contour_predicted.sum() == 0
    np.testing.assert_array_equal(counts.f, [[np.nan] * 2] * 2)
    np.testing.assert_array_equal(counts.iou, [[1, np.nan]] * 2)
    nothing = count_boundaries(np.full_like(truth, 255), prediction, 2)
    assert not any(np.any(v) for v in arrays(nothing).values())


def test_counts_add_up_over_frames_and_scores_are_plain():
    rng = np.random.default_rng(1)
    frames = [(blobs(rng, (24, 31), 3, 3), blobs(rng, (24, 31), 3, 3)) for _ in range(3)]
    total = sum((count_boundaries(*f, 4) for f in frames), start=BoundaryCounts.zeros(4))
    parts = [reference(*f, 4, (2, 5)) for f in frames]
    for name, value in arrays(total).items():
        np.testing.assert_array_equal(value, np.sum([getattr(p, name) for p in parts], axis=0))
    scores = json.loads(json.dumps(boundary_scores(total, "abcd"), allow_nan=False))
    assert scores["tolerances"] == [2, 5]
    assert scores["iou"]["5"]["per_class"]["d"] is scores["f"]["2"]["per_class"]["d"] is None
    for key, values in (("iou", total.iou), ("f", total.f)):
        for i, d in enumerate("25"):
            assert scores[key][d]["per_class"]["b"] == pytest.approx(values[i, 1])
            assert scores[key][d]["mean"] == pytest.approx(values[i, :3].mean())


def test_a_class_that_is_only_predicted_scores_zero_and_is_not_in_the_mean():
    truth = np.zeros((12, 12), np.uint8)
    truth[:6] = 1
    prediction = truth.copy()
    prediction[2:4, 2:4] = 2
    scores = boundary_scores(count_boundaries(truth, prediction, 3, (1,)), ("sky", "sand", "log"))
    assert scores["iou"]["1"]["per_class"]["log"] == scores["f"]["1"]["per_class"]["log"] == 0
    known = [scores["f"]["1"]["per_class"][name] for name in ("sky", "sand")]
    assert scores["f"]["1"]["mean"] == pytest.approx(np.mean(known))
    empty = boundary_scores(BoundaryCounts.zeros(3), ("sky", "sand", "log"))
    assert empty["iou"]["2"]["mean"] is None


def test_what_cannot_be_counted_is_refused():
    good = np.zeros((4, 5), np.uint8)
    with pytest.raises(MetricError, match="the truth holds 3"):
        count_boundaries(good + 3, good, 2)
    with pytest.raises(MetricError, match=r"prediction is uint8 \(5, 4\)"):
        count_boundaries(good, good.T, 2)
    with pytest.raises(MetricError, match="truth is int64"):
        count_boundaries(good.astype(int), good, 2)
    with pytest.raises(MetricError, match=r"truth is uint8 \(0, 5\)"):
        count_boundaries(good[:0], good[:0], 2)
    with pytest.raises(MetricError, match="tolerances are"):
        count_boundaries(good, good, 2, (0.5,))
    with pytest.raises(MetricError, match="tolerances are"):
        count_boundaries(good, good, 2, ())
    with pytest.raises(MetricError, match="num_classes is 255"):
        count_boundaries(good, good, 255)
    with pytest.raises(MetricError, match="cannot be"):
        BoundaryCounts.zeros(2) + BoundaryCounts.zeros(3)
