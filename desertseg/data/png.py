"""PNG files from the inside: what a header says, whether a file is whole, and writing one atomically.

OpenCV decodes PNG pixels; this module answers what OpenCV does not: whether pixels are palette indices, and which, how
many bits a sample has, and where a file is damaged. libpng would say the last on stderr, in words that name no file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.files import replacing

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE, _GRAY_ALPHA = 0, 3, 4
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEFLATE_RATIO = 1032  # bytes that one byte of a deflate stream can stand for
_LONGEST_SIDE = 1_000_000  # libpng's limit


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
    stored = 0
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
        stored += length if kind == b"IDAT" else 0
        position = end + 4
    return _find_impossible(data, stored)


def is_possible(data: bytes) -> bool:
    """Return whether the header at the beginning of a PNG file says what can be (PNG specification, section 11.2.1)."""
    if len(data) < 29 or data[12:16] != b"IHDR":
        return False
    header = read_header(data)
    compression, filters, interlace = data[26:29]
    sides = min(header.height, header.width), max(header.height, header.width)
    in_limits = sides[0] > 0 and sides[1] <= _LONGEST_SIDE
    return (
        in_limits
        and header.depth in _DEPTHS.get(header.color_type, ())
        and (compression, filters) == (0, 0)
        and (interlace in (0, 1))
    )


def _find_impossible(data: bytes, stored: int) -> str | None:
    """Return what cannot be in a header, or cannot follow it, where its pixels take `stored` bytes."""
    header = read_header(data)
    if not is_possible(data):
        return f"damaged: its header says what no PNG can be ({header.width:,}x{header.height:,} pixels)"
    row = 1 + (header.width * header.depth * _CHANNELS[header.color_type] + 7) // 8
    if header.height * row > _DEFLATE_RATIO * stored:
        return (
            f"damaged: its header says {header.width:,}x{header.height:,} pixels, more than its {stored:,} bytes of "
            "them can hold"
        )
    return None


def walk_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, content) of the chunks in the bytes of a PNG file or of its beginning, the last one perhaps cut."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 12 + length


def unpack_palette(data: bytes) -> tuple[bytes, np.ndarray | None]:
    """Return (an indexed PNG's bytes as those of a gray one, whose samples are its indices; its palette uint8 (n, 3)).

    Args:
        data: of which `find_damage` has found nothing. Without a palette there is None.
    """
    chunks = list(walk_chunks(data))
    palette = next((content for kind, content in chunks if kind == b"PLTE"), None)
    header = bytearray(data[16:29])
    header[9] = _GRAY
    kept = [(b"IHDR", bytes(header)), *(c for c in chunks if c[0] == b"IDAT"), (b"IEND", b"")]
    gray = SIGNATURE + b"".join(
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in kept
    )
    whole = len(palette) // 3 * 3 if palette else 0
    return gray, np.frombuffer(palette or b"", np.uint8, whole).reshape(-1, 3) if whole else None


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
