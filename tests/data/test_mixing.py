from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import Augmentation, Box
from desertseg.data.geometry import draw_affine
from desertseg.data.mixing import draw_mixing, place_points
from desertseg.labels import LabelMap

few = settings(max_examples=30, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
SIZE, RARE = (60, 90), np.array([3, 6, 7])
BOTH = Augmentation(cutmix=1, copy_paste=1)


def draw_places(seed: int, batch: int = 5) -> np.ndarray:
    """Where rare pixels lie in the pictures of a batch: some are not there, some outside."""
    random = np.random.default_rng(seed)
    places = random.uniform(-20, 100, (batch, len(RARE), 4, 2))
    places[random.random((batch, len(RARE))) < 0.5] = np.nan
    return places


def draw(augmentation: Augmentation, seed: int, falcon: LabelMap, places: np.ndarray) -> dict[str, np.ndarray]:
    return draw_mixing(augmentation, seed, 1, np.arange(len(places)) * 3, SIZE, places, RARE, falcon)


def shown(places: np.ndarray) -> np.ndarray:
    return ((places >= 0) & (places < SIZE)).all(axis=-1)


@few
@given(seeds)
def test_partners_show_a_rare_class_if_another_sample_does(falcon: LabelMap, seed: int) -> None:
    places = draw_places(seed)
    drawn = draw(BOTH, seed, falcon, places)
    shows = shown(places).any(axis=-1)
    assert drawn["partner"].dtype == np.int32
    for i, j in enumerate(drawn["partner"]):
        others = np.arange(5) != i
        assert j != i
        assert shows[j].any() == shows[others].any()
        pasted = np.flatnonzero(drawn["paste"][i])
        assert set(pasted) <= set(RARE[shows[j]])
        assert len(pasted) >= shows[j].any()


@few
@given(seeds)
def test_boxes_lie_in_the_picture_and_hold_a_rare_pixel_of_the_partner(falcon: LabelMap, seed: int) -> None:
    places = draw_places(seed)
    drawn = draw(BOTH, seed, falcon, places)
    seen = shown(places)
    assert drawn["cutmix"].dtype == np.float32
    for box, j in zip(drawn["cutmix"], drawn["partner"], strict=True):
        np.testing.assert_array_equal(box, box.round())
        assert box.any()
        low, high = box[:2], box[2:]
        assert (low >= 0).all()
        assert (low < high).all()
        assert (high <= SIZE).all()
        points = places[j][seen[j]]
        assert not len(points) or ((points >= low - 0.5) & (points <= high + 0.5)).all(axis=-1).any()


def test_draws_are_pure_and_apart(falcon: LabelMap) -> None:
    places = draw_places(4)
    both = draw(BOTH, 4, falcon, places)
    for options, keys in (
        ({"cutmix": 1}, {"partner", "cutmix"}),
        ({"copy_paste": 1}, {"partner", "paste", "paste_over"}),
    ):
        alone = draw(Augmentation(**options), 4, falcon, places)
        assert alone.keys() == keys
        for key in keys:
            np.testing.assert_array_equal(alone[key], both[key])
    assert any(not np.array_equal(both[key], draw(BOTH, 5, falcon, places)[key]) for key in both)
    sky = falcon.names.index("Sky")
    assert not both["paste_over"][:, sky].any()
    assert np.delete(both["paste_over"], sky, axis=1).all()


def test_effects_come_as_often_as_told_and_no_rare_class_more_than_another(falcon: LabelMap) -> None:
    places = np.full((200, 3, 1, 2), 30.0)
    places[1:, 1] = np.nan  # one sample alone shows the second rare class
    drawn = draw(Augmentation(cutmix=0.3, copy_paste=0.7), 1, falcon, places)
    assert abs(drawn["cutmix"].any(axis=1).mean() - 0.3) < 0.14  # four standard deviations
    assert abs(drawn["paste"].any(axis=1).mean() - 0.7) < 0.14
    assert abs((drawn["partner"] == 0).mean() - 1 / 3) < 0.14
    areas = (drawn["cutmix"][:, 2] - drawn["cutmix"][:, 0]) * (drawn["cutmix"][:, 3] - drawn["cutmix"][:, 1]) / 5400
    assert 0.03 < areas[areas > 0].min() < areas.max() < 0.55


@pytest.mark.parametrize("batch", [1, 4])
def test_nothing_rare_leaves_plain_cutmix_and_one_sample_nothing(falcon: LabelMap, batch: int) -> None:
    drawn = draw(BOTH, 0, falcon, np.full((batch, 3, 4, 2), np.nan))
    assert not drawn["paste"].any()
    assert drawn["cutmix"].any(axis=1).all() == (batch > 1)
    assert (drawn["partner"] != np.arange(batch)).all() == (batch > 1)


@few
@given(seeds)
def test_points_lie_where_the_affine_looks_for_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    options = Augmentation(rotate=30, shear=10, aspect=(0.7, 1.4))
    frames = [Box(0, 0, *random.integers(20, 80, 2).tolist()) for _ in range(3)]
    affines = np.stack([draw_affine(options, seed, 0, i, SIZE, box) for i, box in enumerate(frames)])
    boxes = np.array([[box.top, box.left, box.height, box.width] for box in frames])
    points = random.random((3, 2, 4, 2))
    places = place_points(affines, points, boxes)
    assert places.shape == points.shape
    for affine, box, its_places, its_points in zip(affines.astype(float), frames, places, points, strict=True):
        xy = its_places[..., ::-1] - 0.5  # a pixel's centre has its number
        loaded = xy @ affine[:, :2].T + affine[:, 2]
        np.testing.assert_allclose((loaded[..., ::-1] + 0.5) / (box.height, box.width), its_points, atol=1e-5)
