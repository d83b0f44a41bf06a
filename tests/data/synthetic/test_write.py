"""write_dataset: Falcon's layout and formats on disk, whole or not at all, the same for any number of workers."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data.folders import find_frames
from desertseg.data.synthetic import SPLIT_STARTS, SyntheticError, draw_frame, write_dataset
from desertseg.labels import load_labels

SMALL = {"size": (48, 80)}


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def desert(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "desert"
    write_dataset(out, train=5, val=2, test=1, **SMALL)
    return out


def test_layout_is_falcons(desert):
    for split, count in (("train", 5), ("val", 2), ("test", 1)):
        images, masks = (sorted((desert / split / kind).iterdir()) for kind in ("Color_Images", "Segmentation"))
        assert [p.name for p in images] == [p.name for p in masks]
        assert len(images) == count
        assert all(p.suffix == ".png" for p in images)
    assert sorted(p.name for p in desert.iterdir()) == ["synthetic.json", "test", "train", "val"]


def test_files_hold_what_was_drawn(desert):
    image, mask, name = draw_frame(0, 0, "desert", SMALL["size"])
    stored = cv2.imread(str(desert / f"train/Color_Images/{name}.png"), cv2.IMREAD_UNCHANGED)
    ids = cv2.imread(str(desert / f"train/Segmentation/{name}.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored[..., ::-1], image)
    assert ids.dtype == np.uint16
    assert ids.ndim == 2
    np.testing.assert_array_equal(ids, mask)


def test_masks_are_16_bit_gray_and_known_ids(desert):
    known = set(load_labels("falcon").ids)
    for path in desert.glob("*/Segmentation/*.png"):
        header = path.read_bytes()[16:26]
        assert header[8] == 16, "bits a sample"
        assert header[9] == 0, "grayscale without palette or alpha"
        assert set(np.unique(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)).tolist()) <= known


def test_workers_write_the_same_bytes(desert, tmp_path):
    write_dataset(tmp_path / "two", train=5, val=2, test=1, workers=2, **SMALL)
    assert read_all(tmp_path / "two") == read_all(desert)


def test_splits_come_from_other_places(desert):
    names = {split: {p.stem for p in (desert / split / "Color_Images").iterdir()} for split in ("train", "val", "test")}
    assert not names["train"] & names["val"] | names["train"] & names["test"] | names["val"] & names["test"]
    name = draw_frame(0, SPLIT_STARTS["val"], "desert", SMALL["size"])[2]
    assert name in names["val"]


def test_description_says_how_it_was_made(desert):
    about = json.loads((desert / "synthetic.json").read_text())
    assert (about["seed"], about["domain"], about["size"]) == (0, "desert", [48, 80])
    assert about["frames"] == {"train": 5, "val": 2, "test": 1}


def test_progress_counts_frames(tmp_path):
    seen = []
    summary = write_dataset(
        tmp_path / "a", train=2, val=1, progress=lambda done, total: seen.append((done, total)), **SMALL
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert summary.frames == {"train": 2, "val": 1, "test": 0}
    assert summary.out == tmp_path / "a"
    assert not (tmp_path / "a/test").exists()


def test_a_full_folder_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SyntheticError, match="not empty"):
        write_dataset(tmp_path, train=1, **SMALL)
    with pytest.raises(SyntheticError, match=r"holds 'notes.txt'"):
        write_dataset(tmp_path, train=1, overwrite=True, **SMALL)
    assert read_all(tmp_path) == {"notes.txt": b"mine"}


def test_a_folder_of_real_frames_is_left_alone(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(SyntheticError, match=r"has no synthetic.json"):
        write_dataset(tmp_path, train=1, overwrite=True, **SMALL)


def test_overwrite_replaces_what_it_wrote(tmp_path):
    out = tmp_path / "a"
    write_dataset(out, train=3, val=0, **SMALL)
    with pytest.raises(SyntheticError, match="--overwrite"):
        write_dataset(out, train=1, val=0, **SMALL)
    write_dataset(out, train=1, val=0, overwrite=True, **SMALL)
    assert len(list(out.glob("train/*/*.png"))) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a"], "no temporary folder stays"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "a", train=2, val=0, progress=stop, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": 0, "val": 0}, "not 0 for all"),
        ({"train": -1}, "train -1"),
        ({"workers": 0}, "workers 0"),
        ({"domain": "moon"}, "no domain 'moon'"),
        ({"size": (8, 8)}, "size 8x8"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, changes, message):
    with pytest.raises(SyntheticError, match=message) as caught:
        write_dataset(tmp_path / "a", **({"train": 1} | SMALL | changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(SyntheticError, match="is a file"):
        write_dataset(tmp_path / "a", train=1, **SMALL)


def test_the_loader_finds_every_frame(desert):
    frames = find_frames(desert, "train")
    assert [frame.name for frame in frames] == sorted(p.stem for p in (desert / "train/Color_Images").iterdir())
    assert {frame.scene for frame in frames} == {"cc", "mt", "w", "ww"}
