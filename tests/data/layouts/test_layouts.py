"""Every data set is found, split and read as its authors mean it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desertseg.data import DataError, find_frames, find_images, read_mask
from desertseg.data.folders import find_labels, find_layout
from desertseg.labels import IGNORE_INDEX, LabelError, load_labels

VARIANTS = [
    ("falcon", ""),
    ("falcon", "nested twice"),
    ("rugd", ""),
    ("rugd", "nested twice"),
    ("rugd", "converted by GANav"),
    ("rellis3d", ""),
    ("rellis3d", "archives side by side"),
    ("goose", ""),
    ("goose", "merged"),
    ("goose_ex", ""),
    ("goose_ex", "merged"),
    ("tas500", ""),
    ("ycor", ""),
    ("freiburg_forest", ""),
    ("freiburg_forest", "masks called mask"),
    ("folders", ""),
]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_frames_and_masks(downloaded: Callable, name: str, variant: str) -> None:
    made = downloaded(name, variant)
    layout = find_layout(made.folder)
    assert layout.name == made.layout
    assert layout.labels == (None if name == "folders" else made.labels)
    labels = load_labels(made.labels)
    index = {c: i for i, c in enumerate(labels.names)} | {"(ignored)": IGNORE_INDEX}
    seen = []
    for split, count in made.splits.items():
        frames = find_frames(made.folder, split)
        assert len(frames) == count
        for frame in frames:
            expected = np.vectorize(index.__getitem__)(made.truth[frame.image])
            np.testing.assert_array_equal(read_mask(frame.mask, labels), expected)
        seen += [f.image for f in frames]
    assert len(set(seen)) == len(seen)
    assert sorted(seen) == sorted(made.truth)
    assert {f.image for f in find_frames(made.folder)} == set(made.truth)
    assert len({f.name for f in find_frames(made.folder)}) == len(seen)
    assert set(made.truth) <= set(find_images([made.folder]))


def test_names_and_scenes(downloaded: Callable) -> None:
    def first(name: str, split: str = "train") -> tuple[str, str]:
        frame = find_frames(downloaded(name).folder, split)[0]
        return frame.name, frame.scene

    assert first("rugd", "val") == ("park-8/park-8_00001", "park-8")
    assert first("rellis3d") == ("00000/frame000000-1581624650_750", "00000")
    garching = "2023-03-01_garching"
    assert first("goose") == (f"{garching}/{garching}__0010_1677754323813048720_windshield_vis", garching)
    assert first("tas500") == ("1593684210_00000000", "")
    assert first("ycor") == ("iid000008", "")
    assert first("freiburg_forest") == ("b1-09510_Clipped", "b")


def test_rugds_splits_are_whole_sequences(downloaded: Callable) -> None:
    folder = downloaded("rugd").folder
    scenes = {split: {f.scene for f in find_frames(folder, split)} for split in ("train", "val", "test")}
    assert scenes == {
        "train": {"park-2", "trail", "village"},
        "val": {"park-8", "trail-5"},
        "test": {"creek", "trail-13"},
    }


def test_lists_of_ganav_are_read_beside_rugd(downloaded: Callable, tmp_path: Path) -> None:
    folder = downloaded("rugd").folder
    (tmp_path / "val.txt").write_text("trail-5/trail-5_00001.png\npark-8/park-8_00001\n")
    assert find_frames(folder, str(tmp_path / "val.txt")) == find_frames(folder, "val")
    (tmp_path / "val.txt").write_text("park-8/park-8_00002\n")
    with pytest.raises(DataError, match=r"val\.txt, line 1: .*park-8/park-8_00002 does not exist"):
        find_frames(folder, str(tmp_path / "val.txt"))


def test_a_download_that_lacks_sequences(downloaded: Callable, tmp_path: Path) -> None:
    shutil.copytree(downloaded("rugd").folder, tmp_path, dirs_exist_ok=True)
    for kind in ("RUGD_frames-with-annotations", "RUGD_annotations"):
        for sequence in ("park-8", "trail-5"):
            shutil.rmtree(tmp_path / kind / sequence)
    with pytest.raises(DataError, match=r"holds no images of the sequences park-8, trail-5 \(RUGD's val\)"):
        find_frames(tmp_path, "val")


def test_rellis_without_its_lists_has_no_splits(downloaded: Callable) -> None:
    folder = downloaded("rellis3d", "without lists").folder
    assert len(find_frames(folder)) == 9
    with pytest.raises(DataError, match=r"no split 'val': RELLIS-3D's splits are the lists train\.lst"):
        find_frames(folder, "val")


def test_rellis_lists_demand_their_frames(downloaded: Callable, tmp_path: Path) -> None:
    shutil.copytree(downloaded("rellis3d").folder, tmp_path, dirs_exist_ok=True)
    listed = (tmp_path / "Rellis-3D/val.lst").read_text().split()[0]
    (tmp_path / "Rellis-3D" / listed).unlink()
    with pytest.raises(DataError, match=r"lacks 00000/frame000001-1581624651_750, of RELLIS-3D's val\.lst; fetch"):
        find_frames(tmp_path, "val", masks=False)
    (tmp_path / "Rellis-3D/val.lst").write_text("nonsense\n")
    with pytest.raises(DataError, match=r"val\.lst, line 1: 'nonsense' is not <sequence>/pylon_camera_node/<frame>"):
        find_layout(tmp_path)


def test_images_without_masks_are_no_fault_of_rellis(downloaded: Callable) -> None:
    folder = downloaded("rellis3d").folder
    assert len(find_frames(folder, masks=False)) == 10
    assert len(find_images([folder])) == 10


@pytest.mark.parametrize("name", ["goose", "goose_ex", "tas500"])
def test_withheld_masks(downloaded: Callable, name: str) -> None:
    folder = downloaded(name).folder
    assert [f.mask for f in find_frames(folder, "test", masks=False)] == [None, None]
    with pytest.raises(DataError, match=r"frames are withheld; use the split val"):
        find_frames(folder, "test")
    assert len(find_frames(folder)) == 7  # those that can be scored


def test_goose_colours_are_refused(downloaded: Callable) -> None:
    mask = find_frames(downloaded("goose").folder, "val")[0].mask
    color = mask.with_name(mask.name.replace("_labelids", "_color"))
    from PIL import Image

    Image.new("RGB", (4, 4), (209, 87, 160)).save(color)
    with pytest.raises(LabelError, match="stands more than once"):
        read_mask(color, load_labels("goose"))


def test_goose9_reads_the_same_masks(downloaded: Callable) -> None:
    made = downloaded("goose")
    nine = load_labels("goose9")
    merged = {
        "(ignored)": IGNORE_INDEX,
        "snow": nine.names.index("natural_ground"),
        "hedge": nine.names.index("vegetation"),
        "low_grass": nine.names.index("natural_ground"),
        "military_vehicle": nine.names.index("vehicle"),
    }
    for frame in find_frames(made.folder, "train"):
        expected = np.vectorize(merged.__getitem__)(made.truth[frame.image])
        np.testing.assert_array_equal(read_mask(frame.mask, nine), expected)


def test_a_grey_freiburg_mask_is_still_colours(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.array([[[170] * 3, [0] * 3, [255] * 3]], np.uint8)).save(tmp_path / "m.png")
    labels = load_labels("freiburg_forest")
    assert read_mask(tmp_path / "m.png", labels).tolist() == [[0, 4, 255]]


def test_freiburg_has_no_val_but_its_train_folder_can_be_cut(downloaded: Callable) -> None:
    folder = downloaded("freiburg_forest").folder
    with pytest.raises(DataError, match="no split 'val'; it has test, train; to cut val from train, give the train f"):
        find_frames(folder, "val")
    train = folder / "freiburg_forest_annotated/train"
    assert [len(find_frames(train, s)) for s in ("train", "val")] == [4, 1]
    assert find_labels(train)[0].name == "freiburg_forest"


def test_one_split_of_ycor_and_one_sequence_of_rellis(downloaded: Callable) -> None:
    assert len(find_frames(downloaded("ycor").folder / "yamaha_v0/valid", "val")) == 2
    assert len(find_frames(downloaded("ycor").folder / "yamaha_v0/train")) == 5
    frames = find_frames(downloaded("rellis3d").folder / "Rellis-3D/00004")
    assert [f.name for f in frames][:1] == ["00004/frame000000-1581624650_750"]
    assert [f.mask is not None for f in frames] == [True] * 4


def test_two_data_sets_in_one_folder(downloaded: Callable, tmp_path: Path) -> None:
    for name in ("rugd", "ycor"):
        (tmp_path / name).symlink_to(downloaded(name).folder)
    with pytest.raises(DataError, match="holds several data sets"):
        find_frames(tmp_path, "train")
