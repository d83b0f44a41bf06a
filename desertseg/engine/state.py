"""The state of a training on disk: written beside the training, whole or not at all, and checked when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (gives numpy the name "bfloat16", which safetensors asks it for)
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from desertseg.files import replacing

_NAME = re.compile(r"step-(\d{8,})(?:-(\d+))?")
_SEAL = ', "checksum": "'


class DamagedState(Exception):
    """A state that cannot be trusted; the message says why."""


@dataclass(frozen=True)
class State:
    """All that a training goes on from: the step that comes next, arrays by name, and plain values of the host."""

    step: int
    arrays: dict[str, np.ndarray]
    host: dict[str, Any]


class StateStore:
    """Keeps the last states of one run in a folder, as pairs step-00001234.safetensors and step-00001234.json.

    A state is there once its JSON is, which is renamed into place last, holds the checksum of the arrays' file and ends
    with one of its own; a process that dies at any moment leaves the states that were there. A step that is saved again
    gets a pair of its own (step-00001234-2), so that no moment has one half of each.

    Args:
        folder: made by the first save.
        keep: how many states stay.
        write: whether this process writes; of several hosts one does.

    Attributes:
        problem: why the last save failed, as one line; None once one has succeeded.
        rejected: why the last state was not written, as one line: it held a NaN or an infinity.
        notes: what `latest` found damaged, a line each.
        saved: the step of the last state that was written or read.
        seconds: how long the writer took for the last state that it wrote.
    """

    def __init__(self, folder: str | Path, keep: int = 2, *, write: bool = True) -> None:
        self.folder = Path(folder)
        self.problem: str | None = None
        self.rejected: str | None = None
        self.notes: list[str] = []
        self.saved: int | None = None
        self.seconds = 0.0
        self._keep, self._may_write = keep, write
        self._kept: list[str] | None = None  # the states known to be whole; None before anyone has looked
        self._writer: threading.Thread | None = None
        self._fault: BaseException | None = None
        self._began = self.folder.is_dir()
        if write:
            self._remove_leftovers()

    def save(self, step: int, arrays: Mapping[str, Any], host: dict[str, Any], *, block: bool = False) -> bool:
        """Begin to write a state and return at once; False if the one before is still being written.

        Args:
            step: the step that comes next.
            arrays: float, integer or bool arrays of NumPy or the backend by name, which nobody changes or donates
                from now on; they may still be computed.
            host: what JSON can hold; it is taken down before the call returns.
            block: wait for the state before instead of leaving this one out.

        Raises:
            ValueError: a name that safetensors reserves, or values that JSON cannot hold (TypeError).
        """
        if "__metadata__" in arrays:
            raise ValueError("'__metadata__' is a word of the safetensors format; name the array otherwise")
        if not self._may_write:
            return True
        if self._writer is not None and self._writer.is_alive() and not block:
            return False
        self.wait()
        text = json.dumps(host)
        self._writer = threading.Thread(target=self._run, args=(step, dict(arrays), text), name="state-writer")
        self._writer.start()
        return True

    def wait(self) -> None:
        """Return once nothing is being written; what went wrong there and was no fault of the disk is raised here."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def latest(self) -> State | None:
        """Return the newest state that is whole, None if there is none; `notes` names the damaged ones after it."""
        self.wait()
        damaged: list[str] = []
        state, kept = None, self._stems()
        while kept and state is None:
            try:
                state = self._read(kept[-1])
            except DamagedState as error:
                damaged.append(f"{self.folder.name}/{kept.pop()} {error}")
        used = f"using {self.folder.name}/{kept[-1]}" if kept else "no earlier state is left"
        self.notes = [f"{line}; {used}" for line in damaged]
        self.saved = state.step if state else None
        self._kept = kept  # what is damaged does not count, and goes when the next one is written
        return state

    def clear(self) -> None:
        """Remove every state, as a run does that replaces another."""
        self.wait()
        self._kept = []
        self._remove_others()

    def _run(self, step: int, arrays: dict[str, Any], host: str) -> None:
        start = time.perf_counter()
        try:
            held = {name: np.asarray(array) for name, array in arrays.items()}
            bad = next((name for name, array in held.items() if not _is_finite(array)), None)
            if bad is not None:
                self.rejected = f"the state of step {step} is not kept: {bad} is not finite"
                return
            self._write(step, held, host)
            self.problem, self.saved, self.seconds = None, step, time.perf_counter() - start
        except (OSError, SafetensorError) as error:
            self.problem = f"{self.folder} cannot be written: {_reason(error)}; training goes on"
        except BaseException as error:
            self._fault = error

    def _write(self, step: int, arrays: dict[str, np.ndarray], host: str) -> None:
        if self._began and not self.folder.parent.is_dir():
            raise FileNotFoundError(2, "the run folder is gone", str(self.folder.parent))
        stem, again = f"step-{step:08d}", 1
        while any((self.folder / f"{stem}{suffix}").exists() for suffix in (".json", ".safetensors")):
            again += 1
            stem = f"step-{step:08d}-{again}"
        tensors = self.folder / f"{stem}.safetensors"
        try:
            with replacing(tensors) as temporary:
                save_file({name: _plain(array) for name, array in arrays.items()}, temporary)
                temporary.chmod(0o644)  # safetensors makes files that only their owner can read
                self._began = True
                digest = _digest(temporary)
                _flush(temporary)
            with replacing(self.folder / f"{stem}.json") as temporary:
                body = f'{{"step": {step}, "sha256": "{digest}", "host": {host}'
                temporary.write_text(_sealed(body), encoding="utf-8")
                _flush(temporary)
        except BaseException:
            tensors.unlink(missing_ok=True)
            raise
        _flush(self.folder)
        # a run that went back to an earlier state has no use for the later ones
        earlier = [s for s in self._whole() if _order(s) < _order(stem)]
        self._kept = [*earlier, stem][-self._keep :]
        self._remove_others()

    def _whole(self) -> list[str]:
        """Return the names of the states that can be read, oldest first."""
        if self._kept is None:
            self._kept = []
            for stem in self._stems():
                with suppress(DamagedState):
                    self._check(stem)
                    self._kept.append(stem)
        return self._kept

    def _check(self, stem: str) -> dict[str, Any]:
        """Return what the JSON of a state says, after checking that both files are as they were written."""
        path = self.folder / f"{stem}.safetensors"
        try:
            head = _opened((self.folder / f"{stem}.json").read_bytes())
            if head["step"] != _order(stem)[0]:
                raise DamagedState(f"says that it is step {head['step']}")
            if _digest(path) != head["sha256"]:
                raise DamagedState("has arrays whose checksum differs")
        except FileNotFoundError as error:
            raise DamagedState(f"has no {Path(error.filename).suffix} file") from error
        except OSError as error:
            raise DamagedState(f"cannot be read: {error.strerror or error}") from error
        return head

    def _read(self, stem: str) -> State:
        head = self._check(stem)
        try:
            arrays = load_file(self.folder / f"{stem}.safetensors")
        except (OSError, SafetensorError) as error:
            raise DamagedState(f"cannot be read: {error}") from error
        # copies, because the backend may go on sharing the memory of a mapped file
        return State(head["step"], {name: np.array(array) for name, array in arrays.items()}, head["host"])

    def _stems(self) -> list[str]:
        """Return the names of the states in the folder, halves among them, oldest first."""
        try:
            names = {p.stem for p in self.folder.iterdir() if p.suffix in (".json", ".safetensors")}
        except OSError:
            return []
        return sorted((n for n in names if _NAME.fullmatch(n)), key=_order)

    def _remove_others(self) -> None:
        """Remove every state but the kept ones; the JSON goes first, as it came last."""
        for stem in self._stems():
            if stem not in self._whole():
                for suffix in (".json", ".safetensors"):
                    (self.folder / f"{stem}{suffix}").unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove the temporary files of a writer that was killed; `replacing` and safetensors both begin with a dot."""
        for pattern in (".step-*", ".tmp*"):
            for path in self.folder.glob(pattern):
                with suppress(OSError):  # a folder that cannot be written to; saving will say so
                    path.unlink()


def _order(stem: str) -> tuple[int, int]:
    match = _NAME.fullmatch(stem)
    assert match is not None
    return int(match[1]), int(match[2] or 1)


def _reason(error: Exception) -> str:
    """Return what the operating system said, which safetensors tells by its number."""
    number = re.search(r"os error (\d+)", str(error))
    if number:
        return os.strerror(int(number[1]))
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind in "biu" or bool(np.isfinite(array).all())


def _plain(array: np.ndarray) -> np.ndarray:
    """Return the array as rows lie in a file; `np.ascontiguousarray` would make a scalar a vector."""
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Have a file or a folder written through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sealed(body: str) -> str:
    """Return an open JSON object closed with the checksum of the text before it."""
    return f'{body}{_SEAL}{hashlib.sha256(body.encode()).hexdigest()}"}}\n'


def _opened(data: bytes) -> dict[str, Any]:
    """Return the object in what `_sealed` made; any other byte than it wrote is found."""
    body, seal, _ = data.decode(errors="replace").rpartition(_SEAL)
    if not seal or _sealed(body).encode() != data:
        raise DamagedState("has a .json whose checksum differs, or that is cut off")
    return json.loads(data)
