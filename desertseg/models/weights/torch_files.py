"""PyTorch's checkpoint files: a zip archive since 1.6, before that pickles with the storages behind them.

Neither is executed (`pickled.py`), and PyTorch is not needed. A storage is read once however many tensors share it; its
size and every offset are held against the file's real size before that.
"""

from __future__ import annotations

import io
import math
import mmap
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from desertseg.models.errors import ModelError
from desertseg.models.weights.pickled import SAVE_TENSORS, unpickle
from desertseg.models.weights.torch_names import Dtype, Storage, Tensor

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_NATIVE = "little"
_LOCAL_HEADER = 30  # bytes of a zip entry's own header before its name
_FLOATS = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}  # what becomes float32


class TorchFile:
    """A checkpoint file: what its pickle describes, and the arrays of its tensors.

    Args:
        path: the file.

    Attributes:
        value: what was saved, with `Tensor`s in place of tensors.

    Raises:
        ModelError: it is damaged, cut off, of another kind, or asks for more than tensors.
    """

    def __init__(self, path: str | Path) -> None:
        self.where = str(path)
        with open(path, "rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        read = _read_zip if self._bytes[:2] == b"PK" else _read_legacy
        self.value, self._places = read(self._bytes, self.where)
        self._storages: dict[tuple[str, str], np.ndarray] = {}

    def array(self, tensor: Tensor, name: str) -> np.ndarray:
        """Return a tensor's numbers as a read-only array; bfloat16 and float16 become float32.

        Args:
            tensor: from `value`.
            name: what it is called there, for messages.

        Raises:
            ModelError: it reaches beyond its storage, or its storage beyond the file.
        """
        numbers = self._numbers(tensor.storage, tensor.dtype)
        if 0 in tensor.shape and math.prod(n or 1 for n in tensor.shape) <= len(self._bytes):
            return np.zeros(tensor.shape, numbers.dtype)
        last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
        # A stride of zero repeats numbers, and so may make an array of any size out of one.
        if last >= len(numbers) or math.prod(tensor.shape) * tensor.dtype.itemsize > len(self._bytes):
            raise _damaged(self.where, f"tensor '{name[:80]}' {tensor.shape} reaches beyond its storage")
        strides = [stride * numbers.itemsize for stride in tensor.strides]
        return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)

    def _numbers(self, storage: Storage, dtype: Dtype) -> np.ndarray:
        """Return the whole storage, converted once however many tensors share it."""
        found = (storage.key, dtype.name)
        if found not in self._storages:
            place = self._places.get(storage.key)
            if place is None:
                raise _damaged(self.where, f"storage {storage.key[:20]!r} is missing")
            itemsize = 1 if storage.dtype is None else storage.dtype.itemsize
            if place.size != storage.count * itemsize or place.size % dtype.itemsize:
                raise _damaged(self.where, f"storage {storage.key[:20]!r} has {place.size} bytes")
            self._storages[found] = self._load(place, dtype)
        return self._storages[found]

    def _load(self, place: _Place, dtype: Dtype) -> np.ndarray:
        kind = np.dtype(_FLOATS.get(dtype.name, dtype.name))
        # Read, not mapped: JAX would take a mapped array as it is, and the weights would change with the file.
        numbers = np.fromfile(self.where, kind, place.size // kind.itemsize, offset=place.start)
        if numbers.nbytes != place.size:
            raise _damaged(self.where, "it became shorter while it was read")
        if place.checksum is not None and zlib.crc32(numbers.view(np.uint8).data) != place.checksum:
            raise _damaged(self.where, "a checksum is wrong")
        if dtype.name == "bool":  # any other byte would be a bool that is neither
            return numbers.view(np.uint8) != 0
        if dtype.name in _FLOATS:
            return numbers.astype(np.float32)
        return numbers


@dataclass(frozen=True)
class _Place:
    """Where a storage's bytes lie in the file."""

    start: int
    size: int
    checksum: int | None = None


def _damaged(where: str, what: str) -> ModelError:
    return ModelError(f"weights {where} is damaged or cut off ({what}); fetch the file again")


def _read_zip(data: mmap.mmap, where: str) -> tuple[Any, dict[str, _Place]]:
    """Return what the archive's pickle describes, and the places of its storages by key."""
    try:
        with zipfile.ZipFile(where) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, EOFError) as error:
        raise _damaged(where, "its list of contents cannot be read") from error
    roots = [name.removesuffix("data.pkl") for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(roots) != 1 or f"{roots[0]}constants.pkl" in entries:
        raise _other_archive(where, set(entries))
    root = roots[0]
    places = {
        name.removeprefix(f"{root}data/"): _place(data, entry, where)
        for name, entry in entries.items()
        if name.startswith(f"{root}data/") or name in (f"{root}data.pkl", f"{root}byteorder")
    }
    order = _entry(data, places.get(f"{root}byteorder"), where)
    if order not in (b"", _NATIVE.encode()):
        raise ModelError(
            f"weights {where} has byte order {order[:16].decode('ascii', 'replace')!r}; only 'little' is read: save it "
            "again on a little-endian machine"
        )
    pickled = unpickle(io.BytesIO(_entry(data, places[f"{root}data.pkl"], where)), where)
    storages = {key: places[key] for key in pickled.storages if key in places}
    if sum(place.size for place in storages.values()) > len(data):  # entries may lie on top of one another
        raise _damaged(where, "its entries hold more than the file")
    return pickled.value, storages


def _place(data: mmap.mmap, entry: zipfile.ZipInfo, where: str) -> _Place:
    header = data[entry.header_offset : entry.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or header[:4] != b"PK\3\4":
        raise _damaged(where, "an entry's header is missing")
    start = entry.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[26:30]))
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ModelError(
            f"weights {where} is a compressed archive; PyTorch writes its files uncompressed: save it again with "
            "torch.save"
        )
    if entry.file_size != entry.compress_size or start + entry.file_size > len(data):
        raise _damaged(where, f"an entry of {entry.file_size:,} bytes reaches beyond the file's {len(data):,}")
    return _Place(start, entry.file_size, entry.CRC or None)  # 0: torch.save was told to compute none


def _entry(data: mmap.mmap, place: _Place | None, where: str) -> bytes:
    if place is None:
        return b""
    content = data[place.start : place.start + place.size]
    if place.checksum is not None and zlib.crc32(content) != place.checksum:
        raise _damaged(where, "a checksum is wrong")
    return content


def _other_archive(where: str, names: set[str]) -> ModelError:
    what = "a zip archive, but none that torch.save wrote"
    advice = f"in PyTorch, {SAVE_TENSORS}"
    if "model.weights.h5" in names:
        what, advice = "a .keras file", "give it under a name that ends in .keras"
    elif any(name.endswith("constants.pkl") for name in names):
        what = "a TorchScript archive, which holds a program"
    elif any(name.endswith(".npy") for name in names):
        what, advice = "a NumPy archive", "save its arrays with safetensors.numpy.save_file"
    return ModelError(f"weights {where} is {what}; {advice}")


def _read_legacy(data: mmap.mmap, where: str) -> tuple[Any, dict[str, _Place]]:
    """Return what the fourth of the five pickles describes, and the places of the storages that follow them."""
    if unpickle(data, where).value != _LEGACY_MAGIC:
        raise ModelError(f"weights {where} is a pickle, but none that torch.save wrote; in PyTorch, {SAVE_TENSORS}")
    unpickle(data, where)
    system = unpickle(data, where).value
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ModelError(f"weights {where} has byte order 'big'; only 'little' is read: save it again with torch.save")
    pickled, keys = unpickle(data, where), unpickle(data, where).value
    if not isinstance(keys, list):
        raise _damaged(where, "its list of storages is missing")
    places, position = {}, data.tell()
    for key in keys:
        storage = pickled.storages.get(key) if isinstance(key, str) else None
        count = data[position : position + 8]
        if storage is None or len(count) < 8 or struct.unpack("<q", count)[0] != storage.count:
            raise _damaged(where, "its list of storages does not fit its tensors")
        size = storage.count * (1 if storage.dtype is None else storage.dtype.itemsize)
        if position + 8 + size > len(data):
            raise _damaged(where, f"a storage of {size:,} bytes reaches beyond the file's {len(data):,}")
        places[key] = _Place(position + 8, size)
        position += 8 + size
    return pickled.value, places
