from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from desertseg.data import Augmentation, Box
from desertseg.data.geometry import _place_turned, _place_upright, draw_affine

few = settings(max_examples=40, deadline=None, derandomize=True)
sides = st.integers(20, 300)
sizes = st.tuples(sides, sides)
boxes = st.builds(Box, st.integers(0, 9), st.integers(0, 9), sides, sides)
numbers = st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(0, 999))
pairs = st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
TURNED = Augmentation(vertical_flip=0.5, rotate=40, shear=20, aspect=(0.6, 1.7), scale=(0.5, 3))


def corners(height: float, width: float) -> np.ndarray:
    """The corners of a picture, not of its pixels' centres, as columns (x, y, 1)."""
    return np.array([[x, y, 1.0] for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)]).T


def test_default_draws_are_those_that_results_were_published_with() -> None:
    found = [Augmentation().draw(*number, (270, 480), (192, 320))["affine"] for number in ((0, 0, 0), (3, 5, 8))]
    expected = [
        [[1.034932255744934, 0.0, 141.19708251953125], [0.0, 1.034932255744934, 10.295039176940918]],
        [[1.1788246631622314, 0.0, 100.8431396484375], [0.0, 1.1788246631622314, 10.345748901367188]],
    ]
    np.testing.assert_array_equal(found, np.float32(expected))


@few
@given(numbers, boxes, sizes)
def test_effects_draw_apart(number: tuple[int, int, int], box: Box, size: tuple[int, int]) -> None:
    def draw(**options) -> np.ndarray:
        return draw_affine(Augmentation(**options), *number, size, box).astype(float)

    plain = draw()
    np.testing.assert_array_equal(plain[0], draw(vertical_flip=1)[0])
    np.testing.assert_array_equal(plain[1, 1], -draw(vertical_flip=1)[1, 1])
    np.testing.assert_array_equal(plain, draw(rare_crop=1, cutmix=1, copy_paste=1, blur=1, hue=10, shadow=1))
    np.testing.assert_array_equal(draw(rotate=30)[:, :2], draw(rotate=30, rare_crop=1)[:, :2])
    for options in ({"rotate": 30}, {"shear": 20}, {"aspect": (0.5, 2.0)}, {"rotate": 30, "shear": 20}):
        area = np.linalg.det(draw(**options)[:, :2])  # of an output pixel: scale and flip alone decide it
        assert area == pytest.approx(np.linalg.det(plain[:, :2]), rel=1e-4)


@few
@given(sizes, sizes, pairs, pairs, st.booleans())
def test_no_turn_is_the_limit_of_a_turn(
    source: tuple[int, int], target: tuple[int, int], zoom: tuple, place: tuple, aims: bool
) -> None:
    source, target, place = (np.array(v, float) for v in (source, target, place))
    zoom = 4 * np.array(zoom)
    point = 0.7 * source if aims else None
    upright = _place_upright(source, target, zoom, place, point)
    turned = _place_turned(source, target, np.diag(1 / zoom), place, point)
    for found, expected in zip(turned, upright, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@few
@given(numbers, boxes, sizes)
def test_the_picture_lies_in_the_frame_or_the_frame_in_the_picture(
    number: tuple[int, int, int], box: Box, size: tuple[int, int]
) -> None:
    affine = draw_affine(TURNED, *number, size, box).astype(float)
    low, high = np.array([box.left, box.top]), np.array([box.left + box.width, box.top + box.height])
    linear, source, target = affine[:, :2], high - low, np.array(size)[::-1]
    inside = affine @ corners(*size) - low[:, None] + 0.5  # the picture's corners, in the frame
    for axis in np.flatnonzero(abs(linear) @ target <= source):
        assert inside[axis].min() > -1e-3 * source.max()
        assert inside[axis].max() < source[axis] + 1e-3 * source.max()
    if (abs(np.linalg.inv(linear)) @ source <= target).all():
        frame = corners(*source[::-1])[:2] + low[:, None]
        seen = np.linalg.solve(linear, frame - affine[:, 2:]) + 0.5
        assert (seen > -1e-3 * target.max()).all()
        assert (seen < target[:, None] + 1e-3 * target.max()).all()


def test_angles_and_stretches_are_drawn_from_their_ranges() -> None:
    options = Augmentation(flip=0, rotate=25, shear=15, aspect=(0.5, 2), scale=(1, 1))
    box = Box(0, 0, 100, 100)
    forward = np.linalg.inv([draw_affine(options, 0, 0, i, (100, 100), box)[:, :2].astype(float) for i in range(600)])
    across, down = forward[..., 0], forward[..., 1]  # where the frame's axes point in the picture
    turns = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    widths = np.linalg.norm(across, axis=1)
    areas = np.linalg.det(forward)
    along = (across * down).sum(axis=1) / widths  # of the slanted axis on the straight one
    slants = np.degrees(np.arctan2(along, areas / widths))
    for values, limit in ((turns, 25), (slants, 15), (np.log2(widths) * 2, 1)):
        assert abs(values).max() <= limit * (1 + 1e-4)
        assert values.min() < -0.95 * limit
        assert values.max() > 0.95 * limit
        assert abs(values.mean()) < 0.15 * limit  # its standard deviation is 0.024 of it
    np.testing.assert_allclose(areas, 1, rtol=1e-4)
    upended = [draw_affine(Augmentation(vertical_flip=0.3), 0, 0, i, (9, 9), Box(0, 0, 9, 9))[1, 1] for i in range(600)]
    assert abs(np.mean(np.array(upended) < 0) - 0.3) < 0.08


@few
@given(numbers, boxes, sizes, pairs, st.booleans())
def test_a_rare_crop_is_centred_on_the_point_as_far_as_the_frame_allows(
    number: tuple[int, int, int], box: Box, size: tuple[int, int], point: tuple[float, float], turns: bool
) -> None:
    angles = {"rotate": 30.0, "shear": 10.0} if turns else {}
    options = Augmentation(rare_crop=1, scale=(2, 3), vertical_flip=0.5, **angles)
    affine = draw_affine(options, *number, size, box, points=[np.array([point])]).astype(float)
    middle = affine @ [size[1] / 2 - 0.5, size[0] / 2 - 0.5, 1] - [box.left, box.top] + 0.5
    source = np.array([box.width, box.height])
    half = abs(affine[:, :2]) @ np.array(size)[::-1] / 2
    assume((2 * half < source).any())
    for axis in np.flatnonzero(2 * half < source):
        wanted = np.clip(point[1 - axis] * source[axis], half[axis], source[axis] - half[axis])
        if not turns or (2 * half < source).all():
            assert middle[axis] == pytest.approx(wanted, abs=1e-3 * source.max())


def test_rare_crops_come_as_often_as_told_and_from_every_class() -> None:
    points = [np.array([[0.3, 0.3]]), np.array([[0.7, 0.6], [0.5, 0.7]])]
    options = Augmentation(flip=0, scale=(4, 4), rare_crop=0.6)
    affines = [draw_affine(options, 1, 2, i, (100, 100), Box(0, 0, 100, 100), points=points) for i in range(600)]
    places = [tuple(np.round((a.astype(float) @ [49.5, 49.5, 1] + 0.5)[::-1] / 100, 3)) for a in affines]
    shares = [places.count(p) / 600 for p in ((0.3, 0.3), (0.7, 0.6), (0.5, 0.7))]
    np.testing.assert_allclose(shares, [0.3, 0.15, 0.15], atol=0.07)  # four standard deviations
    assert math.isclose(sum(shares), 0.6, abs_tol=0.08)
