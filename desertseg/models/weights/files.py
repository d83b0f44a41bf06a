"""Tensors out of a checkpoint file or folder, whoever wrote it; what a file is says its content, not its name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (gives numpy the name "bfloat16", which safetensors asks it for)
import numpy as np
from safetensors import SafetensorError, safe_open

from desertseg.errors import suggest
from desertseg.models.errors import ModelError
from desertseg.models.weights.torch_files import TorchFile
from desertseg.models.weights.torch_names import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
# What a Hugging Face folder calls its weights, best first; an index names the files of weights cut in several.
_SNAPSHOT = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_PREFIXES = ("module.", "model.", "_orig_mod.")  # of DataParallel, Lightning, torch.compile
_NESTED = 4  # how many dicts deep a checkpoint may keep its tensors
_EXPECTED = "expected .safetensors, or a .pth that torch.save wrote"


def read_tensors(path: str | Path, key: str | None = None) -> dict[str, np.ndarray]:
    """Return a checkpoint's tensors by name, without executing anything of it.

    Args:
        path: a .safetensors file, a PyTorch file (.pth, .pt, .bin, .ckpt), or a folder as Hugging Face lays it out.
        key: which of several state dicts in one PyTorch file, such as "model_ema"; None where there is one alone.

    Returns:
        Arrays, perhaps read-only; bfloat16 and float16 have become float32. Containers such as {"state_dict": ...} and
        prefixes that all names share ("module.", "model.", "_orig_mod.") are taken off.

    Raises:
        ModelError: no such file, damaged, of another kind, or more than tensors in it.
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            return _read_folder(path, key)
        if not path.exists():
            raise _missing(path)
        return _bare(_read_file(path, key))
    except OSError as error:
        raise ModelError(f"weights {path} cannot be read: {error.strerror or error}; check the path") from error


def _read_file(path: Path, key: str | None) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        start = file.read(512)
    _check_kind(path, start)
    return _read_torch(path, key) if _is_torch(start) else _read_safetensors(path)


def _is_torch(start: bytes) -> bool:
    # Safetensors begins with its header's length, whose first bytes may be anything: "PK" or a pickle's 0x80 too.
    return start[8:9] != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80")


def _check_kind(path: Path, start: bytes) -> None:
    """Refuse what is recognisably no checkpoint, or one of another kind.

    Raises:
        ModelError: the message says what it is.
    """
    text = start.lstrip().lower()
    if not start:
        found = "is empty; fetch it again"
    elif start.startswith(b"version https://git-lfs"):
        found = "is a git-lfs pointer, not the weights; run `git lfs pull` there, or download the file itself"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        found = "is a web page, not the weights; download the file itself (on a hub: the 'resolve' address, not 'blob')"
    elif start.startswith(b"\x89HDF"):
        found = "is an HDF5 file; give Keras weights under a name that ends in .weights.h5"
    elif start[8:9] != b"{" and not _is_torch(start):
        found = f"is no checkpoint: it begins with {start[:8]!r}; {_EXPECTED}"
    else:
        return
    raise ModelError(f"weights {path} {found}")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"weights {path} is damaged or cut off ({error}); fetch the file again") from error
    except (AttributeError, TypeError) as error:  # float8 and its kin, which numpy has not
        raise ModelError(f"weights {path} has tensors of a type not read here ({error}); save it as float32") from error


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array


def _read_torch(path: Path, key: str | None) -> dict[str, np.ndarray]:
    file = TorchFile(path)
    state = _state_dict(file.value, path, key)
    return {name: file.array(value, name) for name, value in state.items() if isinstance(value, Tensor)}


def _state_dict(value: Any, path: Path, key: str | None) -> Mapping[str, Any]:
    """Return the one dict with tensors in it, or the one under `key`.

    Raises:
        ModelError: none, or more than one.
    """
    barren: set[tuple[int, int]] = set()
    for _ in range(_NESTED):
        if not isinstance(value, dict):
            break
        held = [name for name, inner in value.items() if isinstance(name, str) and _leads_to_tensors(inner, barren)]
        if not held and _has_tensors(value):
            return value
        if key in held:
            held = [str(key)]
        if len(held) > 1:
            raise ModelError(
                f"weights {path} holds several models, under {', '.join(held)}: choose one with "
                f"read_tensors(path, key={held[0]!r}), or save it by itself: torch.save(checkpoint[{held[0]!r}], ...)"
            )
        if not held:
            break
        value = value[held[0]]
    kind = type(value).__name__
    if isinstance(value, dict):
        kind = f"a dict of {', '.join(repr(name)[:40] for name in list(value)[:5])}" if value else "an empty dict"
    raise ModelError(
        f"weights {path} holds no dict of tensors but {kind}; save one with torch.save(model.state_dict(), ...)"
    )


def _has_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def _leads_to_tensors(value: Any, barren: set[tuple[int, int]], depth: int = 2) -> bool:
    """Return whether a dict has tensors by name in it, or in a dict in it (an optimiser counts its state instead).

    Args:
        value: from a checkpoint.
        barren: (identity, depth) of dicts already found to have none; a file may name one of them a million times.
        depth: how many dicts further down to look.
    """
    if not isinstance(value, dict) or (id(value), depth) in barren:
        return False
    if _has_tensors(value):
        return True
    inside = (inner for name, inner in value.items() if isinstance(name, str)) if depth else ()
    if any(_leads_to_tensors(inner, barren, depth - 1) for inner in inside):
        return True
    barren.add((id(value), depth))
    return False


def _bare(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors without the prefixes that all their names share."""
    prefix = next((p for p in _PREFIXES if tensors and all(name.startswith(p) for name in tensors)), None)
    return _bare({name.removeprefix(prefix): array for name, array in tensors.items()}) if prefix else tensors


def _read_folder(folder: Path, key: str | None) -> dict[str, np.ndarray]:
    """Return the tensors of a Hugging Face snapshot, or of the one checkpoint that a folder holds."""
    snapshots = [f for f in sorted(folder.glob("snapshots/*")) if f.is_dir()]
    if len(snapshots) == 1:  # the hub's own cache: models--owner--name/snapshots/<commit>
        folder = snapshots[0]
    names = [name for name in _SNAPSHOT if (folder / name).exists()]
    if not names:
        names = [f.name for f in sorted(folder.iterdir()) if f.name.endswith(SUFFIXES)]
        if len(names) != 1:
            found = f"several checkpoints ({', '.join(names[:5])}): give one of them" if names else "no checkpoint"
            raise ModelError(f"folder {folder} holds {found}; expected {_SNAPSHOT[0]} or {_SNAPSHOT[2]}")
    if names[0].endswith(".index.json"):
        return _read_shards(folder / names[0], key)
    return read_tensors(folder / names[0], key)


def _read_shards(index: Path, key: str | None) -> dict[str, np.ndarray]:
    """Return the tensors of weights that were cut in several files.

    Raises:
        ModelError: the index is damaged, or a file or a tensor that it lists is missing.
    """
    try:
        places = json.loads(index.read_text("utf-8"))["weight_map"]
        files = sorted(set(places.values()))
        outside = [name for name in files if Path(name).name != name]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"weights {index} is damaged: it has no 'weight_map' of names; fetch it again") from error
    if outside:
        raise ModelError(f"weights {index} names a file outside its folder: {outside[0]!r}; fetch it again")
    for name in files:
        if not (index.parent / name).exists():
            raise ModelError(f"weights {index} lists {name}, which is not beside it; fetch all {len(files)} files")
    tensors: dict[str, np.ndarray] = {}
    for name in files:
        tensors |= _read_file(index.parent / name, key)
    absent = set(places) - set(tensors)
    if absent:
        raise ModelError(
            f"weights {index} lists {sorted(absent)[0]!r}, which none of its files holds; fetch them again"
        )
    return _bare(tensors)


def _missing(path: Path) -> ModelError:
    """Return the error for a path that does not exist, with the nearest names that do."""
    folder = path.parent
    if not folder.is_dir():
        return ModelError(f"weights {path} do not exist, nor does the folder {folder}; check the path")
    there = [f.name for f in folder.iterdir() if f.is_dir() or f.name.endswith((*SUFFIXES, ".keras", ".h5"))]
    return ModelError(f"weights {path} do not exist{suggest(path.name, there)}; {_listing(folder, there)}")


def _listing(folder: Path, names: Iterable[str]) -> str:
    names = sorted(names)
    return (
        f"{folder} holds {', '.join(names[:5])}{' ...' * (len(names) > 5)}" if names else f"{folder} holds no weights"
    )
