"""Strategies that break what is whole: PNG files, chunk by chunk with their checksums right, and TOML texts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from desertseg.labels import load_labels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (0, 1, 2, 12, 14, 18, 1000, 60000, 1 << 20, (1 << 31) - 1, (1 << 32) - 1)
KINDS = (b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"zTXt", b"tEXt", b"gAMA", b"acTL", b"fdAT", b"IDAT", b"IHDR", b"ABCD")
ODD_VALUES = (
    *("-1", "0", "0.5", "1e400", "nan", "-inf", "99999999999999999999999", "true", '""', '"a"', '"\\u0000"', "[]"),
    *("[[]]", "{}", "{a = 1}", "[1, 2]", '["a"]', "[[1], [1]]", "1979-05-27", "'''a\nb'''", "0x7fff", "[-1, -1]"),
    *("[" * 3000, "1" * 5000, "[1e308, 1e309]", '"../.."', "[300, 300, 300]"),
)


def _encode(pixels: np.ndarray | Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, "PNG", **options)
    return stream.getvalue()


def _whole_pngs() -> dict[str, bytes]:
    rng, falcon, shape = np.random.default_rng(0), load_labels("falcon"), (13, 17)
    indices = rng.integers(0, 10, shape).astype(np.uint8)
    palette = Image.fromarray(indices, "P")
    palette.putpalette(falcon.colors.ravel().tolist())
    return {
        "ids": cv2.imencode(".png", falcon.decode(indices))[1].tobytes(),
        "bytes": _encode(rng.integers(0, 256, shape).astype(np.uint8)),
        "bits": _encode(rng.integers(0, 2, shape).astype(bool)),
        "colors": _encode(falcon.colorize(indices)),
        "palette": _encode(palette),
        "few": _encode(palette, bits=4, transparency=3),
        "alpha": _encode(rng.integers(0, 256, (*shape, 4)).astype(np.uint8)),
    }


WHOLE = _whole_pngs()


def _split(data: bytes) -> list[tuple[bytes, bytes]]:
    position, chunks = len(SIGNATURE), []
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def _join(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return SIGNATURE + b"".join(
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _edit_header(draw: st.DrawFn, header: bytes) -> bytes:
    if len(header) < 13:
        return header
    edited, at = bytearray(header), draw(st.integers(0, 6))
    if at < 2:
        struct.pack_into(">I", edited, 4 * at, draw(st.sampled_from(SIDES)))
    else:
        edited[6 + at] = draw(st.sampled_from((0, 1, 2, 3, 4, 6, 7, 8, 16, 255)))
    return bytes(edited)


def _edit_chunk(draw: st.DrawFn, content: bytes) -> bytes:
    if not content:
        return draw(st.binary(max_size=9))
    at = draw(st.integers(0, len(content) - 1))
    if draw(st.booleans()):
        return content[:at] + draw(st.binary(max_size=9))
    return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]


def _repack(draw: st.DrawFn, chunks: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Give the pixels another length, in a stream that is whole."""
    keep, more = draw(st.integers(0, 300)), draw(st.integers(0, 300))
    made = []
    for kind, content in chunks:
        if kind == b"IDAT":
            with suppress(zlib.error):  # an earlier edit may have broken it
                content = zlib.compress(zlib.decompress(content)[:keep] + bytes(more))
        made.append((kind, content))
    return made


@st.composite
def _broken_png(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(WHOLE)))
    data = WHOLE[name]
    if draw(st.integers(0, 4)) == 0:  # the checksums are wrong
        at = draw(st.integers(0, len(data) - 1))
        return name, data[:at] + draw(st.binary(max_size=4)) + data[at + draw(st.integers(0, 4)) :]
    chunks = _split(data)
    for edit in draw(st.lists(st.sampled_from("hhhccpdirs"), min_size=1, max_size=3)):
        at = draw(st.integers(0, max(0, len(chunks) - 1)))
        if edit == "h" and chunks:
            chunks[0] = chunks[0][0], _edit_header(draw, chunks[0][1])
        elif edit == "c" and chunks:
            chunks[at] = chunks[at][0], _edit_chunk(draw, chunks[at][1])
        elif edit == "p":
            chunks = _repack(draw, chunks)
        elif edit == "d":
            del chunks[at : at + 1]
        elif edit == "i":
            chunks.insert(at, (draw(st.sampled_from(KINDS)), draw(st.binary(max_size=40))))
        elif edit == "r":
            chunks[at : at + 1] *= 2
        elif edit == "s":
            chunks[at:] = reversed(chunks[at:])
    return name, _join(chunks)


@st.composite
def _broken_toml(draw: st.DrawFn, text: str) -> str:
    lines = text.splitlines()
    for edit in draw(st.lists(st.sampled_from("vvvvkldcsb"), min_size=1, max_size=3)):
        at = draw(st.integers(0, len(lines) - 1))
        key, equals, value = lines[at].partition(" = ")
        if edit == "v" and equals:
            lines[at] = f"{key} = {draw(st.sampled_from(ODD_VALUES))}"
        elif edit == "k" and equals:
            lines[at] = f"{draw(st.sampled_from(('x', key + 's', key[:-1] or 'y', 'a.b', 'classes')))} = {value}"
        elif edit == "l":
            lines[at : at + 1] *= 2
        elif edit == "d" and len(lines) > 1:
            del lines[at]
        elif edit == "c":
            where = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:where] + draw(st.text('"[]{}=.\n\t\x00é#\\', max_size=3)) + lines[at][where + 1 :]
        elif edit == "s":
            lines[at:] = reversed(lines[at:])
        elif edit == "b":
            lines.insert(at, draw(st.sampled_from(("[a]", "[[classes]]", "[classes]", "[train]", "[", "a = 1"))))
    return "\n".join(lines)


@pytest.fixture(scope="session")
def broken_pngs() -> st.SearchStrategy[tuple[str, bytes]]:
    """(the kind of the PNG that it was, its bytes with something wrong)."""
    return _broken_png()


@pytest.fixture(scope="session")
def broken_toml() -> Callable[[str], st.SearchStrategy[str]]:
    """Text -> a strategy of texts that are nearly it."""
    return _broken_toml
