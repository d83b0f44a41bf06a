"""PNG files from the inside: what a header says, whether a file is whole, and writing one atomically.

OpenCV decodes PNG pixels; this module answers what OpenCV does not: whether pixels are palette indices, how many bits
a sample has, and where a file is damaged. libpng would say the last on stderr, in words that name no file.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.files import replacing

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE, _GRAY_ALPHA = 0, 3, 4


@dataclass(frozen=True)
class PngHeader:
    """The IHDR chunk: size in pixels, bits a sample, and what a sample is."""

    height: int
    width: int
    depth: int
    color_type: int

    @property
    def is_palette(self) -> bool:
        return self.color_type == _PALETTE

    @property
    def is_gray(self) -> bool:
        return self.color_type in (_GRAY, _GRAY_ALPHA)


def read_header(data: bytes) -> PngHeader:
    """Return the header of a PNG file's bytes, of which `find_damage` has found nothing."""
    width, height, depth, color_type = struct.unpack_from(">IIBB", data, 16)
    return PngHeader(height, width, depth, color_type)


def find_damage(data: bytes) -> str | None:
    """Return what is wrong with the bytes of a PNG file ("cut off after ..."), or None for a whole one.

    Walks the chunks and compares their checksums, which costs one hundredth of decoding (PNG specification, section 5).
    """
    view, position = memoryview(data), len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(data):
            return f"cut off after {len(data):,} bytes"
        length, kind = struct.unpack_from(">I4s", data, position)
        if position == len(SIGNATURE) and (kind, length) != (b"IHDR", 13):
            return "damaged: it does not begin with a PNG header"
        end = position + 8 + length
        if end + 4 > len(data):
            return f"cut off after {len(data):,} bytes"
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return f"damaged: the checksum of its bytes {position:,} to {end:,} is wrong"
        position = end + 4
    return None


def write_png(path: str | Path, array: np.ndarray) -> None:
    """Write an array as a PNG file, whole or not at all.

    Args:
        path: the file to write; an existing one is replaced, a missing folder is made.
        array: uint8 or uint16 (H, W), or uint8 RGB (H, W, 3).

    Raises:
        DataError: the file cannot be written there.
        TypeError: an array of another kind.
    """
    array = np.asarray(array)
    is_gray = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    if not is_gray and not (array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8):
        raise TypeError(
            f"write_png takes uint8 or uint16 (H, W), or uint8 (H, W, 3); it was given {array.dtype} {array.shape}"
        )
    _, encoded = cv2.imencode(".png", array if is_gray else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(encoded.data)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; choose another folder, or free space") from error
