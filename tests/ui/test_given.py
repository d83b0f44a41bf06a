from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from desertseg.errors import UserError
from desertseg.ui.given import Given, check_pixels, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("192x320", (192, 320)), (" 64 X 96 ", (64, 96)), ("32×2048", (32, 2048)), ("", None), (None, None)],
)
def test_sizes_are_height_by_width(text: str | None, size: tuple[int, int] | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("big", "is no size"),
        ("1x2x3", "is no size"),
        ("-5x40", "is no size"),
        ("16x64", "between 32 and 2048"),
        ("99999999x64", "between 32 and 2048"),
    ],
)
def test_other_sizes_are_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_size(text)


def claim(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size and whose pixels are a few bytes that unfold to nothing like it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def test_a_bomb_is_known_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(claim(40_000, 40_000))
    with pytest.raises(
        UserError, match=r"image bomb.png claims 40,000x40,000 pixels; the page takes up to 150 million"
    ):
        check_pixels(tmp_path / "x.png", "bomb.png")


@pytest.mark.parametrize("suffix", [".tif", ".bmp"])
def test_a_bomb_of_another_kind_is_known_too(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    Image.new("1", (20_000, 20_000)).save(path)  # 50 MB on disk at most, 400 million pixels
    with pytest.raises(UserError, match="the page takes up to 150 million"):
        check_pixels(path, path.name)


def test_a_huge_frame_is_taken_and_what_is_broken_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(claim(12_000, 9_000))
    (tmp_path / "text.png").write_text("no picture")
    cv2.imwrite(str(tmp_path / "small.jpg"), np.zeros((8, 8, 3), np.uint8))
    for name in ("huge.png", "text.png", "small.jpg", "missing.png"):
        check_pixels(tmp_path / name, name)


def test_errors_name_files_as_the_user_does(tmp_path: Path) -> None:
    given = Given(tmp_path / "1234.png", "mine.png", tmp_path / "5678.png", "truth.png")
    error = UserError(f"mask {given.mask} is not that of {given.image}")
    assert given.call(error) == "mask truth.png is not that of mine.png"
    assert given.stem == "mine"
