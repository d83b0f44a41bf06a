from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from desertseg.data import DataError, read_image, write_png
from desertseg.data.png import find_damage, unpack_palette


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_is_read_back(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    if len(shape) == 3 and dtype == np.uint16:
        with pytest.raises(TypeError, match="write_png takes"):
            write_png(tmp_path / "a.png", array)
        return
    write_png(tmp_path / "deep" / "a.png", array)
    found = cv2.imread(str(tmp_path / "deep" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found if len(shape) == 2 else found[..., ::-1], array)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_views_are_written_as_they_look(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    write_png(tmp_path / "a.png", array[::-1, ::2])
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], array[::-1, ::2])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/a\.png cannot be written"):
        write_png(tmp_path / "file" / "a.png", np.zeros((2, 2), np.uint8))


def with_header(width: int, height: int, depth: int, color_type: int, methods: bytes = bytes(3)) -> bytes:
    """A PNG of 5x7 gray pixels whose header says something else, with a right checksum."""
    whole = cv2.imencode(".png", np.zeros((5, 7), np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">IIBB", width, height, depth, color_type) + methods
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((7, 5, 3, 0), "its header says what no PNG can be"),
        ((7, 5, 16, 3), "its header says what no PNG can be"),
        ((7, 5, 8, 5), "its header says what no PNG can be"),
        ((7, 5, 8, 0, b"\1\0\0"), "its header says what no PNG can be"),
        ((7, 5, 8, 0, b"\0\0\2"), "its header says what no PNG can be"),
        ((0, 5, 8, 0), r"what no PNG can be \(0x5 pixels\)"),
        ((7, 1 << 31, 8, 0), r"what no PNG can be \(7x2,147,483,648 pixels\)"),
        ((60000, 16000, 8, 0), r"says 60,000x16,000 pixels, more than its \d+ bytes of them can hold"),
    ],
)
def test_a_header_that_cannot_be_is_damage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], header: tuple, message: str
) -> None:
    (tmp_path / "a.png").write_bytes(with_header(*header))
    with pytest.raises(DataError, match=f"damaged: .*{message}"):
        read_image(tmp_path / "a.png")
    assert capfd.readouterr().err == ""
    assert find_damage(with_header(7, 5, 8, 0)) is None


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_is_unpacked_as_pillow_does(depth: int) -> None:
    indices = np.random.default_rng(depth).integers(0, 2**depth, (9, 11)).astype(np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 3 * 2**depth).tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG", bits=depth, transparency=1)
    gray, palette = unpack_palette(stream.getvalue())
    assert find_damage(gray) is None
    samples = cv2.imdecode(np.frombuffer(gray, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(samples, indices * (255 // (2**depth - 1)))  # libpng spreads them over 0..255
    with Image.open(io.BytesIO(stream.getvalue())) as whole:
        assert palette is not None
        assert palette.ravel().tolist()[: 3 * 2**depth] == whole.getpalette()[: 3 * 2**depth]  # type: ignore[index]


def test_a_palette_that_is_missing() -> None:
    data = with_header(7, 5, 8, 3)
    assert find_damage(data) is None
    assert unpack_palette(data)[1] is None
