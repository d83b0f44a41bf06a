from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data.errors import DataError
from desertseg.data.sources import find_sources, is_video, name_video


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Two images, three videos (one hidden) and a text file. Of a video only the name counts here."""
    (tmp_path / "more").mkdir()
    for name in ("b.png", "a.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    for name in ("z.MP4", "more/y.avi", ".hidden.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_a_mixture_keeps_order_and_drops_repeats(drive: Path) -> None:
    found = find_sources([drive / "z.MP4", "camera:2", drive / "b.png", drive / "*", "camera:2", drive / "more"])
    assert found.images == (drive / "b.png", drive / "a.png")
    assert found.videos == (drive / "z.MP4", 2, drive / "more" / "y.avi")


def test_a_folder_gives_its_images_and_its_videos(drive: Path) -> None:
    found = find_sources(drive)
    assert found.images == (drive / "a.png", drive / "b.png")
    assert found.videos == (drive / "more" / "y.avi", drive / "z.MP4")
    assert find_sources(drive / "more").images == ()


def test_standard_input_lists_sources(drive: Path) -> None:
    lines = f"{drive / 'b.png'}\n\n{drive / 'z.MP4'}\ncamera:0\n"
    found = find_sources([drive / "a.png", "-"], io.StringIO(lines))
    assert found.images == (drive / "a.png", drive / "b.png")
    assert found.videos == (drive / "z.MP4", 0)
    odd = drive / "two\nlines.png"
    (drive / "a.png").rename(odd)
    assert find_sources("-", io.StringIO(f"{odd}\0{drive / 'b.png'}\0")).images == (odd, drive / "b.png")


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        ("-", "\n \n", "standard input lists no files; give one path a line"),
        ("-", "-\n", "standard input lists '-'"),
        ("camera:front", "", "'camera:front' has no camera number; give camera:0"),
        ("camera:", "", "'camera:' has no camera number"),
        ("missing.mp4", "", "missing.mp4 does not exist; give image files"),
        ("*.nothing", "", r"no images in \*.nothing"),
        ("more/*.txt", "", r"no images in"),
    ],
)
def test_what_is_not_there_is_named(
    drive: Path, monkeypatch: pytest.MonkeyPatch, source: str, text: str, reason: str
) -> None:
    monkeypatch.chdir(drive)
    with pytest.raises(DataError, match=reason):
        find_sources(source, io.StringIO(text))


def test_names() -> None:
    assert name_video(3) == "camera3"
    assert name_video(Path("a/drive.one.mp4")) == "drive.one"
    assert is_video("A.MoV")
    assert not is_video("a.png")
