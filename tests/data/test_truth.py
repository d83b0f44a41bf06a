from __future__ import annotations

from pathlib import Path

import pytest

from desertseg.data import DataError, find_images
from desertseg.data.truth import find_truth


def touch(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_the_masks_beside_the_images_are_found(tiny_desert: Path) -> None:
    images = find_images([tiny_desert])
    found = find_truth(images)
    assert len(found) == len(images) == 13
    for image, mask in found.items():
        assert mask == image.parent.parent / "Segmentation" / image.name


def test_splits_below_the_kinds(tmp_path: Path) -> None:
    image, other = touch(tmp_path / "images" / "train", "a.jpg", "b.jpg")
    (mask,) = touch(tmp_path / "masks" / "train", "a.png")
    assert find_truth([image, other]) == {image: mask}


def test_a_folder_of_masks_is_matched_by_stem(tmp_path: Path, tiny_desert: Path) -> None:
    images = touch(tmp_path / "drive", "a.jpg", "b.jpg")
    (mask,) = touch(tmp_path / "truth", "b.png")
    assert find_truth(images) == {}
    assert find_truth(images, tmp_path / "truth") == {images[1]: mask}
    known = sorted((tiny_desert / "val" / "Segmentation").iterdir())[0]
    (image,) = touch(tmp_path / "copies", known.stem + ".jpg")
    assert find_truth([image], tiny_desert / "val") == {image: known}  # of a data folder the masks, not the images


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    images = touch(tmp_path / "drive", "a.jpg")
    touch(tmp_path / "empty")
    with pytest.raises(DataError, match="no images in"):
        find_truth(images, tmp_path / "empty")
    with pytest.raises(DataError, match=r"none does not exist; give a folder of masks"):
        find_truth(images, tmp_path / "none")
    with pytest.raises(DataError, match=r"a\.jpg is a file; give a folder of masks"):
        find_truth(images, images[0])
