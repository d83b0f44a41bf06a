"""Anybody's masks: whose they are, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from desertseg.data import DataError, Frame, resize_labels, write_png
from desertseg.data.predictions import match_predictions, read_prediction
from desertseg.labels import LabelError, LabelMap, load_labels

FALCON = load_labels("falcon")


def frames_named(*names: str) -> list[Frame]:
    return [Frame(Path(f"{name}.png"), None, name) for name in names]


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def match(folder: Path, *names: str) -> tuple[dict[str, str], list[str]]:
    pairs, missing = match_predictions(folder, frames_named(*names))
    return {frame.name: path.relative_to(folder).as_posix() for frame, path in pairs}, missing


@pytest.mark.parametrize("pattern", ["{}", "{}_pred", "pred_{}", "out-{}.seg", "0{}0"])
def test_a_common_prefix_and_suffix_are_tolerated(tmp_path: Path, pattern: str) -> None:
    stems = ("cc0000016", "cc0000017", "mt0000172")
    touch(
        tmp_path, *(f"{pattern.format(s)}.png" for s in stems), f"{pattern.format('mt999')}.png", "notes.txt", "a.npz"
    )
    found, missing = match(tmp_path, *stems, "w01")
    assert found == {s: f"{pattern.format(s)}.png" for s in stems}
    assert missing == ["w01"]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sets(st.integers(0, 120), min_size=2, max_size=12),
    st.sampled_from(["", "pred_", "1", "x1_"]),
    st.sampled_from(["", "_pred", "0", "_1"]),
    st.booleans(),
)
def test_numbered_frames_find_their_own(tmp_path_factory, numbers, before, after, padded) -> None:
    folder = tmp_path_factory.mktemp("predictions")
    # A frame "1" is also inside "10" and "21"; with a padded number nothing can be mistaken.
    stems = [f"{n:04}" if padded else f"f{n}g" for n in sorted(numbers)]
    touch(folder, *(f"{before}{s}{after}.png" for s in stems))
    found, missing = match(folder, *stems)
    assert found == {s: f"{before}{s}{after}.png" for s in stems}
    assert not missing


def test_the_exact_name_goes_before_pictures_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "cc1.png", "cc1_color.png", "cc2.png", "cc2_color.png", "cc1.jpg", "cc2.jpg", ".cc1.png")
    assert match(tmp_path, "cc1", "cc2") == ({"cc1": "cc1.png", "cc2": "cc2.png"}, [])


def test_subfolders_are_part_of_the_name_or_not(tmp_path: Path) -> None:
    both = "creek/c_1", "hill/h_1"
    touch(tmp_path / "same", "creek/c_1_pred.png", "hill/h_1_pred.png")
    assert match(tmp_path / "same", *both)[0] == {"creek/c_1": "creek/c_1_pred.png", "hill/h_1": "hill/h_1_pred.png"}
    touch(tmp_path / "flat", "c_1.png", "h_1.png")
    assert match(tmp_path / "flat", *both)[0] == {"creek/c_1": "c_1.png", "hill/h_1": "h_1.png"}
    touch(tmp_path / "deep", "a/b/c_1.png", "a/h_1.png")
    assert match(tmp_path / "deep", "c_1", "h_1")[0] == {"c_1": "a/b/c_1.png", "h_1": "a/h_1.png"}
    # The same stem in two subfolders: only the whole name tells them apart.
    touch(tmp_path / "twins", "creek/1.png", "hill/1.png")
    assert match(tmp_path / "twins", "creek/1", "hill/1")[0] == {"creek/1": "creek/1.png", "hill/1": "hill/1.png"}
    with pytest.raises(DataError, match="frame 1 has two predictions"):
        match(tmp_path / "twins", "1", "2")


def test_of_our_own_output_the_masks_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "masks/cc1.png", "masks_color/cc1.png", "overlays/cc1.jpg")
    assert match(tmp_path, "cc1", "cc2") == ({"cc1": "masks/cc1.png"}, ["cc2"])


def test_what_cannot_be_matched_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not exist"):
        match(tmp_path / "none", "cc1")
    with pytest.raises(DataError, match="hold no masks"):
        match(tmp_path, "cc1")
    touch(tmp_path, "mt1.png", "mt2.png")
    with pytest.raises(DataError, match=r"2 masks such as mt1\.png, but none has the name of a frame such as cc1"):
        match(tmp_path, "cc1")
    with pytest.raises(DataError, match="are a file"):
        match(tmp_path / "mt1.png", "cc1")
    touch(tmp_path, "mt1.bmp")
    with pytest.raises(DataError, match="frame mt1 has two predictions"):
        match(tmp_path, "mt1", "mt2")


@pytest.fixture
def labels() -> np.ndarray:
    """Every class, and pixels without an answer."""
    labels = np.random.default_rng(0).integers(0, 10, (6, 8)).astype(np.uint8)
    labels[0, :3] = 255
    return labels


def test_raw_ids_come_back(tmp_path: Path, labels: np.ndarray) -> None:
    write_png(tmp_path / "a.png", FALCON.decode(labels))  # void is 0, which no mask of this map may hold
    np.testing.assert_array_equal(read_prediction(tmp_path / "a.png", FALCON, (6, 8)), labels)


def test_colours_come_back(tmp_path: Path, labels: np.ndarray) -> None:
    write_png(tmp_path / "a.png", FALCON.colorize(labels))
    np.testing.assert_array_equal(read_prediction(tmp_path / "a.png", FALCON, (6, 8)), labels)


@pytest.mark.parametrize("offset", [-1, 0, 1, 100])
def test_indices_come_back(tmp_path: Path, labels: np.ndarray, offset: int) -> None:
    some = np.where(labels == 0, 1, labels)
    write_png(tmp_path / "a.png", np.where(some == 255, 255, some.astype(int) + offset).astype(np.uint8))
    found = read_prediction(tmp_path / "a.png", FALCON, (6, 8), index_offset=offset)
    np.testing.assert_array_equal(found, some)
    assert found.dtype == np.uint8


def test_indices_may_stand_in_a_palette_or_in_three_channels(tmp_path: Path, labels: np.ndarray) -> None:
    picture = Image.fromarray(labels, "L")
    picture.putpalette(list(range(256)) * 3)
    picture.save(tmp_path / "palette.png")
    cv2.imwrite(str(tmp_path / "three.png"), np.repeat(labels[..., None], 3, axis=2))
    for name in ("palette.png", "three.png"):
        np.testing.assert_array_equal(read_prediction(tmp_path / name, FALCON, (6, 8), index_offset=0), labels)


@pytest.mark.parametrize("size", [(3, 4), (12, 16), (7, 5)])
def test_any_size_is_brought_to_the_truths(tmp_path: Path, labels: np.ndarray, size: tuple[int, int]) -> None:
    write_png(tmp_path / "a.png", FALCON.decode(labels))
    found = read_prediction(tmp_path / "a.png", FALCON, size)
    np.testing.assert_array_equal(found, resize_labels(labels, size))
    assert found.shape == size


def test_an_ignored_class_is_no_answer(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[100, 700, 0, 10000]], np.uint16))
    assert read_prediction(tmp_path / "a.png", load_labels("falcon7"), (1, 4)).tolist() == [[0, 255, 255, 6]]


def test_a_void_that_stands_under_ignore_stays(tmp_path: Path) -> None:
    labels: LabelMap = replace(FALCON, ignore=(0, 27))
    write_png(tmp_path / "a.png", np.array([[100, 27, 0]], np.uint16))
    assert read_prediction(tmp_path / "a.png", labels, (1, 3)).tolist() == [[0, 255, 255]]


def test_wrong_values_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.array([[0, 9, 3]], np.uint8))
    with pytest.raises(LabelError, match=r"0\.\.9, which look like class indices.*--index-offset 0 if 0 is Trees"):
        read_prediction(path, FALCON, (1, 3))
    with pytest.raises(LabelError, match=r"holds 0 \(1 pixels\); with index offset 1 label map 'falcon' has 1\.\.10"):
        read_prediction(path, FALCON, (1, 3), index_offset=1)
    write_png(path, np.array([[1, 10, 3]], np.uint8))
    with pytest.raises(LabelError, match="--index-offset 1 if 1 is Trees"):
        read_prediction(path, FALCON, (1, 3))
    write_png(path, np.array([[100, 10, 3]], np.uint8))
    with pytest.raises(LabelError, match="does not define"):
        read_prediction(path, FALCON, (1, 3))
    write_png(path, np.array([[[1, 2, 3]]], np.uint8))
    with pytest.raises(LabelError, match=r"colour \(1, 2, 3\)"):
        read_prediction(path, FALCON, (1, 1))
    with pytest.raises(DataError, match="holds colours; expected one number a pixel"):
        read_prediction(path, FALCON, (1, 1), index_offset=0)
    cv2.imwrite(str(tmp_path / "a.tiff"), np.array([[0.5, 1]], np.float32))
    with pytest.raises(DataError, match="holds float32 values"):
        read_prediction(tmp_path / "a.tiff", FALCON, (1, 1), index_offset=0)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_prediction(path, FALCON, (1, 1))
