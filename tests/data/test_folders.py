from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from desertseg.data import DataError, Frame, find_frames, find_images
from desertseg.data.folders import find_labels


def touch(folder: Path, *names: str) -> None:
    """Empty files: finding frames opens none of them."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(frames: list[Frame]) -> list[str]:
    return [f.name for f in frames]


def touch_pairs(folder: Path, images: str, masks: str, *stems: str) -> None:
    touch(folder, *(f"{images}/{s}.jpg" for s in stems), *(f"{masks}/{s}.png" for s in stems))


class TestLayouts:
    @pytest.mark.parametrize(
        ("images", "masks"),
        [
            ("{}/Color_Images", "{}/Segmentation"),
            ("{}/images", "{}/masks"),
            ("images/{}", "masks/{}"),
            ("deep/er/{}/Color_Images", "deep/er/{}/Segmentation"),
            ("{}/{}/images", "{}/{}/masks"),
        ],
    )
    def test_split_folders(self, tmp_path: Path, images: str, masks: str) -> None:
        for split, stems in (("train", ("b2", "a1")), ("val", ("a0",)), ("test", ("t1",))):
            touch_pairs(tmp_path, images.format(split, split), masks.format(split, split), *stems)
        assert names(find_frames(tmp_path, "train")) == ["a1", "b2"]
        assert names(find_frames(tmp_path, "val")) == ["a0"]
        assert names(find_frames(tmp_path, "test")) == ["t1"]
        assert names(find_frames(tmp_path)) == ["a0", "a1", "b2", "t1"]
        frame = find_frames(tmp_path, "train")[0]
        assert frame.image == tmp_path / images.format("train", "train") / "a1.jpg"
        assert frame.mask == tmp_path / masks.format("train", "train") / "a1.png"

    @pytest.mark.parametrize("above", ["", "one/two/three"])
    def test_one_folder_without_splits(self, tmp_path: Path, above: str) -> None:
        touch_pairs(tmp_path / above, "Color_Images", "Segmentation", "cc0000016", "mt0000172")
        frames = find_frames(tmp_path)
        assert names(frames) == ["cc0000016", "mt0000172"]
        assert [f.scene for f in frames] == ["cc", "mt"]

    def test_the_test_folder_of_falcon_is_a_split(self, tmp_path: Path) -> None:
        touch_pairs(
            tmp_path / "Offroad_Segmentation_Training_Dataset/train", "Color_Images", "Segmentation", "a1", "a2"
        )
        touch_pairs(tmp_path / "Offroad_Segmentation_testImages", "Color_Images", "Segmentation", "t1")
        assert names(find_frames(tmp_path, "test")) == ["t1"]
        assert names(find_frames(tmp_path, "train")) == ["a1", "a2"]
        itself = tmp_path / "Offroad_Segmentation_testImages"
        assert names(find_frames(itself)) == names(find_frames(itself, "test")) == ["t1"]

    def test_a_split_folder_given_itself_is_whole(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "val", "images", "masks", *(f"a{i}" for i in range(10)))
        assert len(find_frames(tmp_path / "val", "val")) == 10
        with pytest.raises(DataError, match="has no split 'train'; it has val"):
            find_frames(tmp_path / "val", "train")

    def test_pictures_beside_the_splits_are_not_frames(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "train", "images", "masks", "a1")
        touch(tmp_path, "preview.png", "plots/curve.png", "train/notes.txt", "train/images/.hidden.png")
        assert names(find_frames(tmp_path)) == ["a1"]

    def test_images_alone(self, tmp_path: Path) -> None:
        touch(tmp_path, "b.png", "a.JPG", "notes.txt", "more/c.png")
        frames = find_frames(tmp_path, masks=False)
        assert names(frames) == ["a", "b", "more/c"]
        assert all(f.mask is None for f in frames)
        with pytest.raises(DataError, match="holds images without masks; give the folder that holds both"):
            find_frames(tmp_path)

    def test_scenes_by_subfolder(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path, "images", "masks", "creek/f1", "creek/f2", "trail/f1")
        frames = find_frames(tmp_path)
        assert names(frames) == ["creek/f1", "creek/f2", "trail/f1"]
        assert [f.scene for f in frames] == ["creek", "creek", "trail"]

    def test_masks_are_taken_where_they_are(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/a.png", "images/b.png", "masks/b.png")
        assert [f.mask and f.mask.name for f in find_frames(tmp_path, masks=False)] == [None, "b.png"]


class TestHoldOut:
    def test_the_last_fifth_of_each_scene_is_val(self, tmp_path: Path) -> None:
        stems = [*(f"cc{i:04}" for i in range(10)), *(f"w{i:04}" for i in range(6))]
        touch_pairs(tmp_path, "images", "masks", *stems)
        train, val = find_frames(tmp_path, "train"), find_frames(tmp_path, "val")
        assert names(val) == ["cc0008", "cc0009", "w0004", "w0005"]
        assert sorted(names(train) + names(val)) == sorted(stems)
        assert find_frames(tmp_path, "val") == val

    @pytest.mark.parametrize(
        "stems", [("a", "b"), ("x", "y", "z"), ("a1", "a2", "b1"), ("a1", "b1", "c1", "c2"), ("1", "2", "3")]
    )
    def test_small_folders_still_give_both(self, tmp_path: Path, stems: tuple[str, ...]) -> None:
        touch_pairs(tmp_path, "images", "masks", *stems)
        train, val = names(find_frames(tmp_path, "train")), names(find_frames(tmp_path, "val"))
        assert train
        assert val
        assert sorted(train + val) == sorted(stems)

    def test_one_frame_cannot_be_cut(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path, "images", "masks", "a")
        with pytest.raises(DataError, match="holds one frame"):
            find_frames(tmp_path, "train")


class TestErrors:
    def test_missing_empty_and_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"data folder .*/nosuch does not exist"):
            find_frames(tmp_path / "nosuch")
        with pytest.raises(DataError, match=r"holds no images; expected Color_Images"):
            find_frames(tmp_path)
        touch(tmp_path, "a.png")
        with pytest.raises(DataError, match=r"a\.png is a file; expected a folder"):
            find_frames(tmp_path / "a.png")
        (tmp_path / "set/train/images").mkdir(parents=True)
        (tmp_path / "set/train/masks").mkdir(parents=True)
        with pytest.raises(DataError, match=r"train/images holds no images; expected files that end in \.bmp"):
            find_frames(tmp_path / "set", "train")

    def test_partners_that_are_missing(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path, "images", "masks", "a")
        touch(tmp_path, "images/b.png", "images/c.png")
        with pytest.raises(
            DataError,
            match=r"image .*b\.png has no mask \(and 1 more images have none\); add .*masks/b\.\* or remove the image",
        ):
            find_frames(tmp_path)
        touch(tmp_path, "masks/b.png", "masks/c.png", "masks/d.png")
        with pytest.raises(DataError, match=r"mask .*d\.png has no image; add .*images/d\.\* or remove the mask"):
            find_frames(tmp_path)

    def test_the_same_stem_twice(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path, "images", "masks", "a")
        touch(tmp_path, "images/a.png")
        with pytest.raises(DataError, match=r"images holds 'a' twice, as a\.jpg and a\.png"):
            find_frames(tmp_path)

    def test_unknown_splits_name_what_there_is(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "train", "images", "masks", "a1")
        touch_pairs(tmp_path / "test", "images", "masks", "b1")
        with pytest.raises(DataError, match="has no split 'nosuch'; it has test, train"):
            find_frames(tmp_path, "nosuch")
        with pytest.raises(
            DataError, match=r"no split 'val'; it has test, train; to cut val from train, give the train folder"
        ):
            find_frames(tmp_path, "val")
        shutil.rmtree(tmp_path / "test")
        touch_pairs(tmp_path / "plain", "images", "masks", "a1", "a2")
        with pytest.raises(DataError, match="no split 'test'; without split folders it has train and val"):
            find_frames(tmp_path / "plain", "test")

    def test_several_data_sets_are_ambiguous(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "one", "images", "masks", "a1")
        touch_pairs(tmp_path / "two", "images", "masks", "a1")
        with pytest.raises(DataError, match=r"holds several data sets, .*one/images and .*two/images; give one"):
            find_frames(tmp_path)


class TestFindImages:
    def test_files_folders_and_globs_keep_their_order(self, tmp_path: Path) -> None:
        touch(tmp_path, "z.png", "f/b.png", "f/a.jpg", "f/notes.txt", "g/1.png", "g/2.png", "g/x.txt")
        found = find_images([tmp_path / "z.png", tmp_path / "f", str(tmp_path / "g" / "*")])
        assert [p.relative_to(tmp_path).as_posix() for p in found] == [
            "z.png",
            "f/a.jpg",
            "f/b.png",
            "g/1.png",
            "g/2.png",
        ]

    def test_duplicates_are_dropped(self, tmp_path: Path) -> None:
        touch(tmp_path, "a.png", "b.png")
        found = find_images([tmp_path / "b.png", tmp_path, f"{tmp_path}/../{tmp_path.name}/*.png"])
        assert [p.name for p in found] == ["b.png", "a.png"]

    def test_of_a_data_folder_the_images_are_taken(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "val", "Color_Images", "Segmentation", "a", "b")
        assert [p.name for p in find_images([tmp_path])] == ["a.jpg", "b.jpg"]

    def test_a_single_path_is_one_source(self, tmp_path: Path) -> None:
        touch(tmp_path, "a.png")
        assert find_images(str(tmp_path / "a.png")) == [tmp_path / "a.png"]

    @pytest.mark.parametrize("source", ["nosuch.png", "nosuch/*.png", "empty"])
    def test_a_source_that_matches_nothing(self, tmp_path: Path, source: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=r"(no images in|does not exist).*give image files, folders"):
            find_images([tmp_path / source])


def test_frames_are_found_without_opening_files(flat_data: Path, write_pair: Callable) -> None:
    assert len(find_frames(flat_data, "train")) == 7
    assert {f.scene for f in find_frames(flat_data)} == {"cc"}


class TestLabels:
    def test_the_users_choice_goes_first(self, tmp_path: Path) -> None:
        labels, line = find_labels(tmp_path / "nosuch", "rugd")
        assert (labels.name, line) == ("rugd", "labels: rugd, 24 classes, as asked")

    def test_a_layout_tells_and_a_default_is_said(self, tmp_path: Path) -> None:
        touch_pairs(tmp_path / "one", "Color_Images", "Segmentation", "a")
        touch_pairs(tmp_path / "two", "images", "masks", "a")
        assert find_labels(tmp_path / "one")[1].endswith("/one is laid out like falcon")
        labels, line = find_labels(tmp_path / "two")
        assert (labels.name, line) == ("falcon", "labels: falcon, 10 classes, the default; --labels takes another")
