from __future__ import annotations

from pathlib import Path

import pytest

from desertseg.data import DataError, find_frames
from desertseg.data.folders import find_layout
from desertseg.data.lists import read_list, write_list


@pytest.fixture
def desert(tmp_path: Path) -> Path:
    """Falcon's layout with two scenes in train and one in val; empty files."""
    for split, stems in (("train", ("cc0001", "cc0002", "w0001")), ("val", ("mt0001",))):
        for kind in ("Color_Images", "Segmentation"):
            folder = tmp_path / "falcon" / split / kind
            folder.mkdir(parents=True)
            for stem in stems:
                (folder / f"{stem}.png").touch()
    return tmp_path / "falcon"


def names(frames: list) -> list[str]:
    return [f.name for f in frames]


def test_a_list_is_read_back(desert: Path) -> None:
    frames = find_frames(desert)
    write_list(desert / "lists/val.txt", frames[1:3], desert, ["by hand"])
    assert read_list(desert / "lists/val.txt") == frames[1:3]
    assert find_frames(desert, "lists/val.txt") == frames[1:3]  # seen from the data folder
    assert find_frames(desert, str(desert / "lists/val.txt")) == frames[1:3]
    assert [f.scene for f in frames[1:3]] == ["cc", "mt"]
    assert (
        "\n# by hand\ntrain/Color_Images/cc0002.png\ttrain/Segmentation/cc0002.png\n"
        in (desert / "lists/val.txt").read_text()
    )


def test_a_folder_of_lists_is_a_data_folder(desert: Path, tmp_path: Path) -> None:
    frames = find_frames(desert)
    write_list(tmp_path / "lists/train.txt", frames[:2], desert)
    write_list(tmp_path / "lists/val.txt", frames[2:], desert)
    (tmp_path / "lists/notes.txt").write_text("about the split")
    layout = find_layout(tmp_path / "lists")
    assert (layout.name, layout.splits, layout.labels) == ("lists", ("train", "val"), "falcon")
    assert find_frames(tmp_path / "lists", "train") == frames[:2]
    assert find_frames(tmp_path / "lists") == frames
    with pytest.raises(DataError, match=r"folder of lists .* has no split 'test'; it has train, val"):
        find_frames(tmp_path / "lists", "test")


@pytest.mark.parametrize(
    "line",
    [
        "train/Color_Images/cc0001.png train/Segmentation/cc0001.png",
        "train/Color_Images/cc0001.png",
        "Color_Images/cc0001",
        "cc0001.png",
        "cc0001",
        "cc0001 train/Segmentation/cc0001.png",
    ],
)
def test_lists_of_others(desert: Path, line: str) -> None:
    path = desert / "list.txt"
    path.write_text(f"\ufeff# theirs\n\n{line}\r\n", encoding="utf-8")
    assert read_list(path, desert) == find_frames(desert)[:1]


def test_names_with_blanks(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "my frame 1.png").touch()
    (tmp_path / "a.txt").write_text("images/my frame 1.png\tmasks/my frame 1.png\n")
    assert read_list(tmp_path / "a.txt", tmp_path) == find_frames(tmp_path)


def test_frames_of_one_name_keep_apart(desert: Path) -> None:
    for kind in ("Color_Images", "Segmentation"):
        (desert / "val" / kind / "cc0001.png").touch()
    frames = find_frames(desert)
    write_list(desert / "all.txt", frames, desert)
    assert read_list(desert / "all.txt") == frames
    assert names(frames) == ["cc0002", "mt0001", "train/cc0001", "val/cc0001", "w0001"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"names no frame; expected one a line: image, tab, mask"),
        ("a\tb\tc\n", r"line 1: it has 3 fields"),
        ("\nnosuch.png\n", r"line 2: .*nosuch\.png does not exist; is .*falcon the right data folder"),
        ("cc0001\tnosuch.png", r"line 1: mask .*nosuch\.png does not exist"),
        ("cc0001\ncc0001.png\n", r"line 2: .*cc0001\.png stands in it twice"),
        ("alone.png\n", r"line 1: .*alone\.png has no mask; add it to the line, or drop it"),
    ],
)
def test_what_is_wrong_is_said(desert: Path, text: str, message: str) -> None:
    (desert / "alone.png").touch()
    path = desert / "list.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_list(path, desert)


def test_a_list_without_its_data(desert: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    with pytest.raises(DataError, match=r"list .*list\.txt does not exist"):
        find_frames(desert, str(path))
    path.write_text("cc0001\n")
    with pytest.raises(DataError, match=r"has no line '# data: FOLDER'; add it"):
        read_list(path)
    path.write_text("# data: nowhere\ncc0001\n")
    with pytest.raises(DataError, match=r"nowhere, which does not exist; mend its line"):
        read_list(path)
    path.write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        read_list(path, desert)
