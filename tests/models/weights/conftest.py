"""PyTorch's files written by hand, where there is no PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest


class Named:
    """Pickles as a global of any name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Call:
    """Pickles as a call of a named global, as an object's __reduce__ would."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.parts = (Named(name), arguments)

    def __reduce__(self) -> tuple:
        return self.parts


class Stored:
    """Pickles as a persistent id."""

    def __init__(self, *fields: object) -> None:
        self.fields = fields


class Pickler(pickle._Pickler):
    """Python's own pickler, able to write names that do not exist here."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def persistent_id(self, value: object) -> object:
        return value.fields if isinstance(value, Stored) else None

    def save_named(self, value: Named) -> None:
        module, _, name = value.name.rpartition(".")
        self.write(f"c{module}\n{name}\n".encode())

    def save_reduce(self, function: object, arguments: tuple, *rest: object, **more: object) -> None:
        self.save(function)
        self.save(arguments)
        self.write(b"R")

    dispatch[Named] = save_named


def dump(value: object) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, 2).dump(value)
    return stream.getvalue()


def tensor(kind: str, key: str, count: int, shape: tuple, strides: tuple, offset: int = 0, **extra: object) -> Call:
    fields = ["storage", Named(f"torch.{kind}Storage"), key, "cpu", count, *extra.values()]
    grad = (False, Call("collections.OrderedDict"))
    return Call("torch._utils._rebuild_tensor_v2", Stored(*fields), offset, shape, strides, *grad)


def write_zip(path: Path, value: object, storages: dict[str, bytes], order: bytes = b"little", **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", value if isinstance(value, bytes) else dump(value))
        archive.writestr("archive/byteorder", order)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def write_legacy(path: Path, value: object, storages: dict[str, tuple[int, bytes]], little: bool = True) -> Path:
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": little, "type_sizes": {}}]
    content = b"".join(dump(part) for part in (*head, value, sorted(storages)))
    path.write_bytes(content + b"".join(struct.pack("<q", n) + raw for _, (n, raw) in sorted(storages.items())))
    return path


@pytest.fixture(scope="session")
def by_hand() -> SimpleNamespace:
    """What writes such files: `Named`, `Call` and `Stored` stand for what a pickle may hold beside plain values."""
    parts = (Named, Call, Stored, dump, tensor, write_zip, write_legacy)
    return SimpleNamespace(**{part.__name__: part for part in parts})


@pytest.fixture
def write_checkpoint(tmp_path: Path):
    """Return a function that saves what it is given a state dict {"a": [0, 1, 2], "b": [3, 4]} makes of it."""

    def write(wrap) -> Path:
        state = {
            "a": tensor("Float", "0", 5, (3,), (1,)),
            "b": tensor("Float", "0", 5, (2,), (1,), offset=3),
        }
        return write_zip(tmp_path / "w.pth", wrap(state), {"0": np.arange(5, dtype=np.float32).tobytes()})

    return write
