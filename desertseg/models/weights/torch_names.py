"""What a PyTorch checkpoint's pickle may name: storages, tensors, sizes, ordered dicts. Records of them, no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Dtype:
    """How a storage's bytes are read. `name` is numpy's name, or "bfloat16", which numpy has not."""

    name: str

    @property
    def itemsize(self) -> int:
        return 2 if self.name == "bfloat16" else np.dtype(self.name).itemsize


@dataclass(frozen=True)
class Storage:
    """A run of numbers by its key: `count` of them, or bytes where `dtype` is None (PyTorch's untyped storage)."""

    key: str
    dtype: Dtype | None
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides in elements."""

    storage: Storage
    dtype: Dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Name:
    """A name that the pickle may use, and what calling it builds; `build` never runs anything of the file."""

    name: str
    build: Callable[..., Any] | None = None
    dtype: Dtype | None = None


def is_count(value: Any) -> bool:
    """Return whether a value is an integer that can count a file's bytes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


def _ordered_dict(pairs: Any = None) -> dict[Any, Any]:
    if pairs is None:
        return {}
    if not isinstance(pairs, list) or not all(len(pair) == 2 and isinstance(pair[0], (str, int)) for pair in pairs):
        raise ValueError("not the pairs of a dict")  # as Python 2 wrote them
    items = dict(pairs)
    pairs.clear()  # or one long list, named again and again, would fill the memory
    return items


def _size(values: Any = ()) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > 32 or not all(is_count(v) for v in values):
        raise ValueError("not a size")
    return values


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage) or storage.dtype is None:
        raise ValueError("a tensor without a storage")
    return _view(storage, storage.dtype, offset, shape, strides)


def _typed_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    if not isinstance(storage, Storage) or not isinstance(dtype, Name) or dtype.dtype is None:
        raise ValueError("a tensor without a storage")
    return _view(storage, dtype.dtype, offset, shape, strides)


def _view(storage: Storage, dtype: Dtype, offset: Any, shape: Any, strides: Any) -> Tensor:
    shape, strides = _size(shape), _size(strides)
    if not is_count(offset) or len(shape) != len(strides):
        raise ValueError("not a tensor's shape")
    return Tensor(storage, dtype, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError("a parameter that is no tensor")
    return data


def _numpy_dtype(code: Any, *_: Any) -> Dtype:
    if code not in _CODES:
        raise ValueError("a type of NumPy's that is not a number's")
    return Dtype(_CODES[code])


def _numpy_number(dtype: Any, content: Any) -> int | float | bool:
    if not isinstance(dtype, Dtype) or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise ValueError("not a number")
    return np.frombuffer(content, dtype.name)[0].item()


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("not bytes")
    return text.encode("latin1")  # how protocol 2 writes bytes


# NumPy's numbers, which trainers keep beside the tensors as the best score so far.
_CODES = {"f8": "float64", "f4": "float32", "i8": "int64", "i4": "int32", "b1": "bool"}
_STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Bool": "bool",
    "Byte": "uint8",
    "Char": "int8",
    "Short": "int16",
    "Int": "int32",
    "Long": "int64",
}
_DTYPES = {*_STORAGES.values(), "uint16", "uint32", "uint64"}
NAMES = {
    entry.name: entry
    for entry in (
        Name("collections.OrderedDict", _ordered_dict),
        Name("torch.Size", _size),
        Name("torch.device", lambda *_: "device"),
        Name("torch._utils._rebuild_tensor", _tensor),
        Name("torch._utils._rebuild_tensor_v2", _tensor),
        Name("torch._utils._rebuild_tensor_v3", _typed_tensor),
        Name("torch._utils._rebuild_parameter", _parameter),
        Name("torch.storage.UntypedStorage"),
        Name("numpy.dtype", _numpy_dtype),
        Name("numpy.core.multiarray.scalar", _numpy_number),
        Name("numpy._core.multiarray.scalar", _numpy_number),
        Name("_codecs.encode", _encode),
        *(Name(f"torch.{kind}Storage", dtype=Dtype(name)) for kind, name in _STORAGES.items()),
        *(Name(f"torch.{name}", dtype=Dtype(name)) for name in sorted(_DTYPES)),
    )
}
