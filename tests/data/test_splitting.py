from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import DataError, Frame
from desertseg.data.splitting import (
    Split,
    count_random_twins,
    count_twins,
    find_one_sided,
    plan_split,
)


def draw_frames(**scenes: int) -> list[Frame]:
    names = [(f"{scene}{i:04}", scene) for scene, count in sorted(scenes.items()) for i in range(count)]
    return [Frame(Path(f"{name}.png"), Path(f"{name}_mask.png"), name, scene) for name, scene in names]


def draw_counts(count: int, classes: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1000, (count, classes))


def draw_hashes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, count, np.uint64)


def runs(split: Split, frames: list[Frame]) -> int:
    """How many runs of val frames there are, a run ending with its scene."""
    inside = split.side == "val"
    scenes = np.array([f.scene for f in frames])
    begins = inside & ~np.r_[False, inside[:-1] & (scenes[1:] == scenes[:-1])]
    return int(begins.sum())


def test_scenes_stay_whole_where_there_are_enough() -> None:
    frames = draw_frames(a=10, b=12, c=8, d=10, e=9, f=11)
    split = plan_split(frames, draw_counts(60), draw_hashes(60), val=0.2)
    assert split.by == "scene"
    for scene in "abcdef":
        assert len({s for s, f in zip(split.side, frames, strict=True) if f.scene == scene}) == 1
    assert 8 <= len(split.take("val")) <= 16


def test_blocks_are_taken_where_scenes_do_not_do() -> None:
    counts = draw_counts(60)
    counts[:, 3] = 0
    counts[:10, 3] = 5  # stands in the scene a alone
    frames = draw_frames(a=10, b=12, c=8, d=10, e=9, f=11)
    split = plan_split(frames, counts, draw_hashes(60), val=0.2)
    assert split.by == "block"
    assert find_one_sided(split, counts) == []
    assert plan_split(frames, counts, draw_hashes(60), val=0.2, by="scene").by == "scene"
    two = draw_frames(a=30, b=30)
    assert plan_split(two, draw_counts(60), draw_hashes(60)).by == "block"


def test_blocks_are_contiguous_and_few() -> None:
    frames = draw_frames(a=60, b=40)
    split = plan_split(frames, draw_counts(100), draw_hashes(100), by="block", block=10)
    assert [len(g.frames) for g in split.groups] == [10] * 10
    assert [g.name for g in split.groups][:2] == ["a, block 1 of 6", "a, block 2 of 6"]
    assert len(split.take("val")) == 20
    assert runs(split, frames) <= 2
    assert sorted([*split.take("train"), *split.take("val")]) == list(range(100))


def test_a_rare_class_comes_to_both_sides_in_its_share() -> None:
    counts = draw_counts(200)
    counts[:, 3] = 0
    counts[[15, 16, 40, 77, 78, 120, 121, 160, 161, 199], 3] = 50
    frames = draw_frames(a=200)
    split = plan_split(frames, counts, draw_hashes(200), val=0.2)
    part = counts[split.take("val"), 3].sum() / counts[:, 3].sum()
    assert 0.1 <= part <= 0.4
    assert len(split.take("val")) == pytest.approx(40, abs=8)


def test_one_sided_classes_are_named() -> None:
    counts = np.ones((20, 3), int)
    counts[:, 2] = 0
    counts[3, 2] = 9  # one frame alone: it can only be on one side
    split = plan_split(draw_frames(a=20), counts, draw_hashes(20))
    assert find_one_sided(split, counts) == [(2, str(split.side[3]))]


def test_a_gap_leaves_out_what_lies_beside_val_in_its_scene() -> None:
    frames, counts, hashes = draw_frames(a=50, b=50), draw_counts(100), draw_hashes(100)
    plain = plan_split(frames, counts, hashes, by="block", block=10)
    wide = plan_split(frames, counts, hashes, by="block", block=10, gap=3)
    np.testing.assert_array_equal(wide.take("val"), plain.take("val"))
    for i in range(100):
        near = [j for j in range(max(0, i - 3), min(100, i + 4)) if frames[j].scene == frames[i].scene]
        expected = "val" if plain.side[i] == "val" else "" if any(plain.side[j] == "val" for j in near) else "train"
        assert wide.side[i] == expected


def test_twins_are_counted_and_dropped() -> None:
    frames, counts, hashes = draw_frames(a=40), draw_counts(40), draw_hashes(40)
    hashes = np.repeat(hashes[:4], 10) ^ np.uint64(0b111)  # ten frames in a row are alike
    options = {"by": "block", "block": 5, "val": 0.125}
    split = plan_split(frames, counts, hashes, **options)
    val, train = split.take("val"), split.take("train")
    assert len(val) == 10  # two blocks that are alike, though one would be enough
    assert count_twins(hashes[val], hashes[train]) == 0
    hashes = np.tile(hashes[::10], 10) ^ np.uint64(0b111)  # every block has what every other one has
    split = plan_split(frames, counts, hashes, **options)
    val, train = split.take("val"), split.take("train")
    by_hand = sum(any((int(hashes[i]) ^ int(hashes[j])).bit_count() <= 10 for j in train) for i in val)
    assert count_twins(hashes[val], hashes[train]) == by_hand == 5
    hashes[val[0]] = ~hashes[val[0]]
    assert count_twins(hashes[val], hashes[train]) == 4
    hashes[::2] = draw_hashes(20, 1)
    plain, clean = (plan_split(frames, counts, hashes, **options, drop_twins=drop) for drop in (False, True))
    np.testing.assert_array_equal(clean.take("val"), plain.take("val"))
    near = [i for i in plain.take("train") if count_twins(hashes[[i]], hashes[plain.take("val")])]
    assert clean.take("").tolist() == near
    assert len(near) > 5
    assert count_random_twins(np.repeat(hashes[:20], 2), 8) == pytest.approx(0.8, abs=0.2)
    assert count_random_twins(draw_hashes(40, 5), 8) == 0
    with pytest.raises(DataError, match="no frame is left for train"):
        plan_split(frames, counts, np.zeros(40, np.uint64), by="block", drop_twins=True)


def test_the_same_seed_makes_the_same_split() -> None:
    frames, counts, hashes = draw_frames(a=300), draw_counts(300), draw_hashes(300)
    first = plan_split(frames, counts, hashes, block=5, seed=4)
    np.testing.assert_array_equal(plan_split(frames, counts, hashes, block=5, seed=4).side, first.side)
    assert any((plan_split(frames, counts, hashes, block=5, seed=s).side != first.side).any() for s in (5, 6))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=7),
    st.floats(0.05, 0.6),
    st.sampled_from(["auto", "block"]),
    st.integers(0, 3),
)
def test_every_frame_has_a_side_and_no_side_is_empty(sizes: list[int], val: float, by: str, gap: int) -> None:
    frames = draw_frames(**{f"s{chr(97 + i)}": size for i, size in enumerate(sizes)})
    if len(frames) < 2:
        return
    hashes, counts = draw_hashes(len(frames)), draw_counts(len(frames))
    if gap:
        with contextlib.suppress(DataError):  # no frame may be left for train
            split = plan_split(frames, counts, hashes, val=val, by=by, gap=gap)
            assert len(split.take("train"))
    split = plan_split(frames, counts, hashes, val=val, by=by)
    assert set(split.side) == {"train", "val"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 1.0}, "no share"),
        ({"by": "colour"}, "choose one of auto, scene, block"),
        ({"block": 0}, "give 1 or more"),
        ({"gap": -1}, "give 0 or more"),
        ({"by": "scene"}, "all 10 frames are of one scene, 'a'; cut by block"),
        ({"block": 10}, "give a shorter block"),
    ],
)
def test_what_cannot_be_cut_is_said(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan_split(draw_frames(a=10), draw_counts(10), draw_hashes(10), **options)
    with pytest.raises(DataError, match="two or more"):
        plan_split(draw_frames(a=1), draw_counts(1), draw_hashes(1))
