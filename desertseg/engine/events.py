"""TensorBoard's event files, written without TensorBoard or TensorFlow.

A file is a row of TFRecords, each an `Event` protocol buffer (tensorflow/core/util/event.proto and
tensorflow/core/framework/summary.proto). The dozen fields that scalars and texts need are written here by hand.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types
_DT_STRING = 7
_SESSION_START = 1


class EventFile:
    """A TensorBoard event file in a folder; every call writes through to the operating system.

    Args:
        folder: where the file is made; TensorBoard joins all files of one folder.
        first: the step that comes next; what other files of the folder say of it and later steps is hidden.
    """

    def __init__(self, folder: str | Path, first: int = 0) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{time.time_ns()}.v2"
        self.path = folder / name
        self._file = self.path.open("xb")
        self._write(_field(3, b"brain.Event:2"))
        if first:
            self._write(_field(2, first) + _field(7, _field(1, _SESSION_START)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by name."""
        summary = b"".join(_field(1, _field(1, k.encode()) + _field(2, float(v))) for k, v in values.items())
        self._write(_field(2, step) + _field(5, summary))

    def text(self, step: int, name: str, markdown: str) -> None:
        """Write a text."""
        metadata = _field(1, _field(1, b"text"))
        tensor = _field(1, _DT_STRING) + _field(2, _field(2, _field(1, 1))) + _field(8, markdown.encode())
        value = _field(1, f"{name}/text_summary".encode()) + _field(9, metadata) + _field(8, tensor)
        self._write(_field(2, step) + _field(5, _field(1, value)))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: bytes) -> None:
        event = _key(1, _DOUBLE) + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))
        self._file.flush()


def _field(number: int, value: bytes | int | float) -> bytes:
    """Return one field of a protocol buffer; a float is a `float` field."""
    if isinstance(value, bytes):
        return _key(number, _BYTES) + _varint(len(value)) + value
    if isinstance(value, float):
        return _key(number, _FLOAT) + struct.pack("<f", value)
    return _key(number, _VARINT) + _varint(value)


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    """Return a whole number from 0 in groups of seven bits, the lowest first."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of a TFRecord."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> list[int]:
    """The 256 remainders of CRC-32C (polynomial 0x82F63B78, reflected)."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table
