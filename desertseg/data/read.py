"""Decode one image, one mask or both, or say in one line what is wrong with the file.

OpenCV decodes, from bytes, because from a file it would hand back half a JPEG without a word. Pillow reads what OpenCV
cannot: the size of an image without its pixels.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from desertseg.data import png
from desertseg.data.errors import DataError
from desertseg.data.png import write_png
from desertseg.labels import LabelError, LabelMap

__all__ = ["IMAGE_SUFFIXES", "DataError", "image_size", "read_image", "read_mask", "read_pair", "write_png"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
_EXIF_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 0x0112, 256, 257
_JPEG = b"\xff\xd8"
_TRANSPOSED = frozenset({5, 6, 7, 8})  # orientations that swap height and width
_HEAD = 1 << 16  # bytes of a PNG file in which its pixels begin, unless somebody put a book before them
# What Pillow made of 300,000 mutated files of twenty formats, but for its own error of more than 179 million pixels.
PILLOW_FAILS = (OSError, ValueError, SyntaxError, RuntimeError, LookupError, TypeError, MemoryError, struct.error)
_COPY_AGAIN = "copy it again from where it came"


def read_image(path: str | Path) -> np.ndarray:
    """Return an image: uint8 RGB (H, W, 3), upright by its EXIF orientation.

    Gray becomes three equal channels, alpha is dropped, palettes are looked up, and of 16 bits the upper 8 are kept.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP.

    Raises:
        DataError: no such file, or one that is empty, cut off, damaged or not an image.
    """
    return _decode(_read_bytes(path, "image"), path, "image", cv2.IMREAD_COLOR_RGB)


def read_mask(path: str | Path, labels: LabelMap) -> np.ndarray:
    """Return the labels of a mask file: uint8 (H, W), class indices with 255 = ignore.

    - Grayscale, 8 or 16 bits (or 1, 2, 4, as stored): the samples are raw ids. So are they where a file has three
      channels that are all equal, unless `labels` knows them as colours alone.
    - Indexed PNG: the palette's indices are raw ids if `labels` knows them all; otherwise its colours are the classes'.
    - RGB: the colours are the classes' colours.

    Args:
        path: PNG, BMP or TIFF; a JPEG is refused, because its compression changes ids.
        labels: the label map that knows the ids or colours.

    Raises:
        DataError: no such file, or one that is empty, cut off, damaged or not a mask.
        LabelError: an id or a colour that `labels` does not know.
    """
    source = f"mask {path}"
    pixels, palette = read_stored(path)
    return (
        _encode_pixels(pixels, labels, source) if palette is None else _encode_palette(pixels, palette, labels, source)
    )


def read_samples(path: str | Path) -> np.ndarray:
    """Return the numbers that a mask file stores: (H, W) uint8 or uint16, of an indexed PNG the indices.

    Raises:
        DataError: as `read_mask`, or the file holds colours.
    """
    source = f"mask {path}"
    pixels, _ = read_stored(path)
    samples = as_gray(pixels)
    if samples is None:
        raise DataError(f"{source} holds colours; expected one number a pixel")
    if samples.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{source} holds {samples.dtype} values; expected whole numbers of 8 or 16 bits")
    return samples


def read_stored(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a mask's samples, (H, W) or BGR (H, W, 3 or 4), and the palette uint8 (n, 3) that they index or None.

    Raises:
        DataError: as `read_mask`, but for what the samples mean.
    """
    source, data = f"mask {path}", _read_bytes(path, "mask")
    if data.startswith(_JPEG):
        raise DataError(f"{source} is a JPEG, whose compression changes raw ids; give the original PNG")
    if not data.startswith(png.SIGNATURE):
        return _decode(data, path, "mask", cv2.IMREAD_UNCHANGED), None
    _refuse_damaged_png(data, source)
    header = png.read_header(data)
    palette = None
    if header.is_palette:
        data, palette = png.unpack_palette(data)
        if palette is None:
            raise DataError(f"{source} is damaged: it is indexed, and its palette is missing; {_COPY_AGAIN}")
    pixels = _decode(data, path, "mask", cv2.IMREAD_UNCHANGED)
    if header.depth < 8:  # libpng has spread the samples over 0..255
        pixels //= 255 // (2**header.depth - 1)
    return pixels, palette


def read_pair(image: str | Path, mask: str | Path, labels: LabelMap) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and the labels of its mask, as `read_image` and `read_mask` do, of one and the same size.

    Raises:
        DataError: what those two raise, or two sizes.
        LabelError: as in `read_mask`.
    """
    pixels, indices = read_image(image), read_mask(mask, labels)
    check_same_size(image, pixels.shape, mask, indices.shape)
    return pixels, indices


def check_same_size(
    image: str | Path, image_shape: tuple[int, ...], mask: str | Path, mask_shape: tuple[int, ...]
) -> None:
    """Raise DataError unless an image and its mask, of shapes (H, W, ...), have one size."""
    (height, width), (mask_height, mask_width) = image_shape[:2], mask_shape[:2]
    if (height, width) != (mask_height, mask_width):
        raise DataError(
            f"mask {mask} is {mask_width}x{mask_height} pixels, but its image {image} is {width}x{height}; "
            "give the mask that belongs to it"
        )


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) of what `read_image` would return, from the file's header alone.

    Raises:
        DataError: no such file, or not an image.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        head = b""
    if head.startswith(png.SIGNATURE):
        if not png.is_possible(head):
            return _decoded_size(path)
        if not _needs_exif(head):
            header = png.read_header(head)
            return header.height, header.width
    from PIL import Image, JpegImagePlugin  # a tenth of a second that most users of this module do not need

    # Image.open() warns of large images as of bombs, but their pixels stay where they are.
    opened = JpegImagePlugin.JpegImageFile if head.startswith(_JPEG) else Image.open
    try:
        with opened(path) as image:
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            # Of a TIFF Pillow's own size is upright already.
            width, height = _tiff_size(image) if image.format == "TIFF" else image.size
    except (*PILLOW_FAILS, Image.DecompressionBombError):
        return _decoded_size(path)  # what Pillow cannot tell of, OpenCV may read, or say why not
    return (width, height) if orientation in _TRANSPOSED else (height, width)


def _tiff_size(image: Any) -> tuple[int, int]:
    return image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]


def _needs_exif(head: bytes) -> bool:
    """Return whether a PNG file that begins so has EXIF before its pixels, or may have.

    Pillow would decode the pixels to look for EXIF behind them, where OpenCV does not heed it.
    """
    kinds = [kind for kind, _ in png.walk_chunks(head)]
    return b"IDAT" not in kinds or b"eXIf" in kinds[: kinds.index(b"IDAT")]


def _decoded_size(path: str | Path) -> tuple[int, int]:
    height, width, _ = read_image(path).shape
    return height, width


def _read_bytes(path: str | Path, what: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{what} {path} does not exist; check the path") from error
    except OSError as error:
        raise DataError(
            f"{what} {path} cannot be read: {error.strerror}; check that it is a file and yours to read"
        ) from error
    if not data:
        raise DataError(f"{what} {path} is empty (0 bytes); {_COPY_AGAIN}")
    return data


def _decode(data: bytes, path: str | Path, what: str, flags: int) -> np.ndarray:
    source = f"{what} {path}"
    if what == "image" and data.startswith(png.SIGNATURE):  # a mask's has been checked
        _refuse_damaged_png(data, source)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _explain_undecodable(data, source)
    return pixels


def _refuse_damaged_png(data: bytes, source: str) -> None:
    damage = png.find_damage(data)
    if damage:
        raise DataError(f"{source} is {damage}; {_COPY_AGAIN}")


def _explain_undecodable(data: bytes, source: str) -> DataError:
    """Return the error for bytes that no decoder took."""
    if data.startswith(png.SIGNATURE):
        damage = png.find_damage(data) or "damaged: its pixels do not decode"
        return DataError(f"{source} is {damage}; {_COPY_AGAIN}")
    if data.startswith(_JPEG):
        if b"\xff\xd9" not in data[-64:]:
            return DataError(f"{source} is cut off after {len(data):,} bytes; {_COPY_AGAIN}")
        return DataError(f"{source} is damaged: its pixels do not decode; {_COPY_AGAIN}")
    if data.startswith(b"version https://git-lfs"):
        return DataError(f"{source} is a Git LFS pointer, not the image itself; run `git lfs pull`")
    begins = bytes(data[:12])
    return DataError(f"{source} is not an image that can be read (it begins with {begins!r}); give PNG or JPEG")


def as_gray(pixels: np.ndarray) -> np.ndarray | None:
    """Return the one channel of a mask's samples, also where three are equal; None of colours."""
    if pixels.ndim == 2:
        return pixels
    blue, green, red = (pixels[..., i] for i in range(3))
    return np.ascontiguousarray(red) if np.array_equal(blue, green) and np.array_equal(green, red) else None


def _encode_pixels(pixels: np.ndarray, labels: LabelMap, source: str) -> np.ndarray:
    gray = as_gray(pixels)
    if gray is not None:
        try:
            return labels.encode(gray, source)
        except LabelError:
            with suppress(LabelError):  # colours that all happen to be grey, such as a road and nothing else
                if pixels.ndim == 3 and pixels.dtype == np.uint8:
                    return labels.encode_colors(pixels[..., 2::-1], source)
            raise
    if pixels.dtype != np.uint8:
        raise DataError(f"{source} is a colour image of {pixels.dtype}; give raw ids in one channel, or 8-bit colours")
    return labels.encode_colors(pixels[..., 2::-1], source)


def _encode_palette(indices: np.ndarray, palette: np.ndarray, labels: LabelMap, source: str) -> np.ndarray:
    used = np.unique(indices)
    if labels.knows(used):
        return labels.encode(indices, source)
    if used[-1] >= len(palette):
        raise DataError(f"{source} uses index {used[-1]} of a palette of {len(palette)} colours; export it again")
    try:
        return labels.encode_colors(palette[indices], source)
    except LabelError as error:
        unknown = next(int(i) for i in used if not labels.knows(i))
        raise LabelError(
            f"{source} is an indexed PNG, but its index {unknown} is no raw id of label map '{labels.name}', nor are "
            f"its colours the classes': {error}"
        ) from error
