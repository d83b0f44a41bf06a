from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from desertseg.data import DataError, image_size, read_image, read_mask, read_pair
from desertseg.labels import IGNORE_INDEX, LabelClass, LabelError, LabelMap

RANDOM = np.random.default_rng(5)
RGB = RANDOM.integers(0, 256, (14, 22, 3), np.uint8)
BYTES = LabelMap(
    "bytes", tuple(LabelClass(f"c{i}", (i,), (10 * i, 50, 255 - i)) for i in range(4)), ignore=(255,), void=255
)


def pillow_bytes(image: Image.Image, format: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png_bytes(samples: np.ndarray, depth: int, color_type: int, data: bytes | None = None) -> bytes:
    """A PNG written by hand, from the specification: for bit depths that no writer here makes."""
    height, width = samples.shape
    bits = [np.unpackbits(row[:, None].astype(np.uint8), axis=1)[:, 8 - depth :].reshape(-1) for row in samples]
    raw = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits) if data is None else data

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(i % 256 for i in range(3 * 2**depth))) if color_type == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + palette
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


class TestReadImage:
    @pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1"])
    def test_eight_bit_png_of_every_kind_becomes_rgb(self, tmp_path: Path, mode: str) -> None:
        image = Image.fromarray(RGB)
        if mode == "RGBA":
            image.putalpha(Image.fromarray(RGB[..., 0]))
        image = image.quantize(16) if mode == "P" else image.convert(mode)
        path = tmp_path / "a.png"
        path.write_bytes(pillow_bytes(image))
        found = read_image(path)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))  # alpha is dropped, not blended

    @pytest.mark.parametrize("shape", [(14, 22), (14, 22, 3)])
    def test_of_sixteen_bits_the_upper_eight_are_kept(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        wide = RANDOM.integers(0, 65536, shape).astype(np.uint16)
        cv2.imwrite(str(tmp_path / "a.png"), wide[..., ::-1] if wide.ndim == 3 else wide)
        expected = (wide >> 8).astype(np.uint8)
        np.testing.assert_array_equal(
            read_image(tmp_path / "a.png"), expected if wide.ndim == 3 else np.dstack([expected] * 3)
        )

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_honoured(self, tmp_path: Path, orientation: int, format: str) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "a.img"
        options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
        path.write_bytes(pillow_bytes(Image.fromarray(RGB), format, exif=exif, **options))
        with Image.open(path) as image:
            upright = np.asarray(ImageOps.exif_transpose(image))
        found = read_image(path)
        assert found.shape == upright.shape
        assert np.abs(found.astype(int) - upright).max() <= 1  # two JPEG decoders may round apart
        assert image_size(path) == upright.shape[:2]

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
    def test_size_from_the_header_is_the_size_of_the_pixels(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), RGB)
        assert image_size(path) == read_image(path).shape[:2] == (14, 22)


def whole(format: str) -> bytes:
    return pillow_bytes(Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8))), format)


def flipped_in_the_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


DAMAGES = {
    "empty": (lambda: b"", r"is empty \(0 bytes\); copy it again"),
    "text": (lambda: b"hello, desert", r"is not an image that can be read \(it begins with b'hello, deser'\)"),
    "html": (lambda: b"<!DOCTYPE html>", "is not an image"),
    "lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
    "png half": (lambda: whole("PNG")[:800], "is cut off after 800 bytes; copy it again"),
    "png without IEND": (lambda: whole("PNG")[:-12], "is cut off after"),
    "png without its last byte": (lambda: whole("PNG")[:-1], "is cut off after"),
    "png header": (lambda: whole("PNG")[:20], "is cut off after 20 bytes"),
    "png signature": (lambda: whole("PNG")[:8], "is cut off after 8 bytes"),
    "png wrong byte": (lambda: flipped_in_the_middle(whole("PNG")), "is damaged: the checksum of its bytes"),
    "png no header": (lambda: whole("PNG")[:8] + whole("PNG")[33:], "does not begin with a PNG header"),
    "jpeg half": (lambda: whole("JPEG")[:2000], "is cut off after 2,000 bytes; copy it again"),
    "jpeg without its last scan": (lambda: whole("JPEG")[:-5], "is cut off after"),
    "jpeg header": (lambda: whole("JPEG")[:100], "is cut off after 100 bytes"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_image_is_one_clear_line(tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str) -> None:
    make, message = DAMAGES[damage]
    path = tmp_path / "w0001.png"
    path.write_bytes(make())
    with pytest.raises(DataError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"image {path} ")
    assert "\n" not in str(caught.value)
    printed = capfd.readouterr()
    assert printed.err + printed.out == ""  # the libraries below say nothing of their own


@pytest.mark.parametrize("damage", [d for d in DAMAGES if not d.startswith("jpeg")])
def test_a_damaged_mask_is_one_clear_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str, falcon: LabelMap
) -> None:
    make, message = DAMAGES[damage]
    path = tmp_path / "w0001.png"
    path.write_bytes(make())
    with pytest.raises(DataError, match=f"mask {path} .*{message}"):
        read_mask(path, falcon)
    assert capfd.readouterr().err == ""


def test_pixels_that_end_early_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(np.zeros((9, 8), np.uint8), 8, 0, data=b"\0" * 20))
    with pytest.raises(DataError, match="damaged: its pixels do not decode"):
        read_image(path)


def test_indices_that_end_early_are_noticed(tmp_path: Path, falcon: LabelMap) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(np.zeros((9, 8), np.uint8), 8, 3, data=b"\0" * 20))
    with pytest.raises(DataError, match="damaged: its pixels do not decode"):  # Pillow would fill the rest with zeros
        read_mask(tmp_path / "a.png", falcon)


def test_a_jpeg_that_lacks_only_its_end_marker_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(whole("JPEG"))
    (tmp_path / "b.jpg").write_bytes(whole("JPEG")[:-2])
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), read_image(tmp_path / "a.jpg"))


def test_missing_files_and_folders_are_named(tmp_path: Path, falcon: LabelMap) -> None:
    with pytest.raises(DataError, match=r"image .*no\.png does not exist"):
        read_image(tmp_path / "no.png")
    with pytest.raises(DataError, match=r"mask .*no\.png does not exist"):
        read_mask(tmp_path / "no.png", falcon)
    for reader in (read_image, image_size):
        with pytest.raises(DataError, match="cannot be read: Is a directory"):
            reader(tmp_path)


def test_the_size_of_a_broken_file_is_an_error_too(tmp_path: Path) -> None:
    for data, message in ((b"", "is empty"), (b"hello", "is not an image"), (whole("PNG")[:20], "cut off")):
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(DataError, match=message):
            image_size(tmp_path / "a.png")


class TestReadMask:
    def write(self, tmp_path: Path, data: bytes | np.ndarray) -> Path:
        path = tmp_path / "w0009.png"
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            cv2.imwrite(str(path), data)
        return path

    def test_sixteen_bit_ids(self, tmp_path: Path, falcon: LabelMap) -> None:
        labels = RANDOM.integers(0, 10, (14, 22)).astype(np.uint8)
        path = self.write(tmp_path, falcon.decode(labels))
        np.testing.assert_array_equal(read_mask(path, falcon), labels)

    def test_eight_bit_ids(self, tmp_path: Path) -> None:
        ids = RANDOM.choice(np.array([0, 1, 2, 3, 255], np.uint8), (14, 22))
        np.testing.assert_array_equal(read_mask(self.write(tmp_path, ids), BYTES), ids)

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_ids_of_few_bits_are_taken_as_stored(self, tmp_path: Path, depth: int) -> None:
        ids = RANDOM.integers(0, min(4, 2**depth), (6, 16)).astype(np.uint8)
        np.testing.assert_array_equal(read_mask(self.write(tmp_path, png_bytes(ids, depth, 0)), BYTES), ids)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_equal_channels_are_one(self, tmp_path: Path, channels: int, dtype: type) -> None:
        ids = RANDOM.integers(0, 4, (14, 22)).astype(dtype)
        full = np.iinfo(dtype).max
        planes = np.dstack([ids] * 3 + [np.full_like(ids, full)] * (channels - 3))
        np.testing.assert_array_equal(read_mask(self.write(tmp_path, planes), BYTES), ids)

    @pytest.mark.parametrize("depth", [2, 8])
    def test_palette_indices_are_ids_where_all_are_known(self, tmp_path: Path, depth: int) -> None:
        ids = RANDOM.integers(0, 4, (6, 16)).astype(np.uint8)
        np.testing.assert_array_equal(read_mask(self.write(tmp_path, png_bytes(ids, depth, 3)), BYTES), ids)

    def test_palette_colours_are_looked_up_otherwise(self, tmp_path: Path, falcon: LabelMap) -> None:
        labels = RANDOM.integers(0, 10, (14, 22)).astype(np.uint8)
        image = Image.new("P", (22, 14))
        image.putdata(labels.reshape(-1).tolist())
        image.putpalette(falcon.colors.tobytes())
        path = self.write(tmp_path, pillow_bytes(image))
        np.testing.assert_array_equal(read_mask(path, falcon), labels)

    def test_a_palette_of_neither_is_refused(self, tmp_path: Path, falcon: LabelMap) -> None:
        path = self.write(tmp_path, png_bytes(np.full((6, 16), 7, np.uint8), 8, 3))
        with pytest.raises(
            LabelError, match=r"indexed PNG, but its index 7 is no raw id.*colour \(21, 22, 23\) \(96 pix"
        ):
            read_mask(path, falcon)

    def test_colour_coded(self, tmp_path: Path, falcon: LabelMap) -> None:
        labels = RANDOM.integers(0, 10, (14, 22)).astype(np.uint8)
        path = self.write(tmp_path, np.ascontiguousarray(falcon.colorize(labels)[..., ::-1]))
        np.testing.assert_array_equal(read_mask(path, falcon), labels)

    def test_wide_colours_are_refused(self, tmp_path: Path, falcon: LabelMap) -> None:
        path = self.write(tmp_path, RANDOM.integers(0, 65536, (4, 4, 3)).astype(np.uint16))
        with pytest.raises(DataError, match="colour image of uint16"):
            read_mask(path, falcon)

    def test_a_jpeg_is_refused(self, tmp_path: Path, falcon: LabelMap) -> None:
        with pytest.raises(DataError, match="is a JPEG, whose compression changes raw ids"):
            read_mask(self.write(tmp_path, whole("JPEG")), falcon)

    def test_an_unknown_id_names_the_file(self, tmp_path: Path, falcon: LabelMap) -> None:
        ids = np.full((14, 22), 100, np.uint16)
        ids[0, :5] = 101
        path = self.write(tmp_path, ids)
        with pytest.raises(LabelError, match=rf"^mask {path} holds id 101 \(5 pixels\)"):
            read_mask(path, falcon)

    def test_an_eight_bit_read_is_refused_with_its_cause(self, tmp_path: Path, falcon: LabelMap) -> None:
        original = self.write(tmp_path, falcon.decode(np.arange(10, dtype=np.uint8).reshape(2, 5)))
        narrow = cv2.imread(str(original), cv2.IMREAD_GRAYSCALE)
        with pytest.raises(LabelError, match="16-bit ids read as 8 bit"):
            read_mask(self.write(tmp_path, narrow), falcon)

    def test_ignored_ids_are_255(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, np.array([[0, 255]], np.uint8))
        np.testing.assert_array_equal(read_mask(path, BYTES), [[0, IGNORE_INDEX]])


def test_a_pair_has_one_size(tmp_path: Path, write_pair: Callable, falcon: LabelMap) -> None:
    image, labels = write_pair(tmp_path, "a")
    found = read_pair(tmp_path / "images/a.png", tmp_path / "masks/a.png", falcon)
    np.testing.assert_array_equal(found[0], image)
    np.testing.assert_array_equal(found[1], labels)
    write_pair(tmp_path, "b", size=(20, 12))
    with pytest.raises(DataError, match=r"mask .*b\.png is 12x20 pixels, but its image .*a\.png is 20x12"):
        read_pair(tmp_path / "images/a.png", tmp_path / "masks/b.png", falcon)
