"""An exported model as desertseg uses it: images in, logits or labels out, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.machine import count_cores
from desertseg.runtimes.facts import Facts
from desertseg.runtimes.formats import FORMATS, find_format

# format -> the module and the class that run it, imported when a file of it is loaded
_SESSIONS = {
    "onnx": ("desertseg.runtimes.onnx", "OnnxSession"),
    "savedmodel": ("desertseg.runtimes.savedmodel", "SavedModelSession"),
    "litert": ("desertseg.runtimes.litert", "LiteRTSession"),
    "openvino": ("desertseg.runtimes.openvino", "OpenVINOSession"),
    "stablehlo": ("desertseg.runtimes.stablehlo", "StableHLOSession"),
}


class Session(Protocol):
    """A loaded file.

    Attributes:
        facts: the text that the file says of itself, None where it says nothing.
        runtime: what runs it, with version and device.
    """

    facts: str | None
    runtime: str

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        ...


@dataclass(frozen=True)
class SelfTest:
    """How an exported model answers here, against how it answered when it was exported.

    Attributes:
        max_difference: the largest absolute difference of a logit; None where the model answers with labels.
        agreement: the share of pixels with the same class.
    """

    max_difference: float | None
    agreement: float


class Exported:
    """An exported model.

    Args:
        path: where it lies.
        format: one of `FORMATS`.
        session: what runs it.
        facts: what it says of itself.

    Attributes:
        path, format: as given.
        labels: the label map.
        recipe: how it was trained, or None.
        size: (height, width) that it was trained at, or None.
        answer: "logits" or "labels", what `run` returns.
        input: the dtype that the file takes, "uint8" or "float32"; `run` takes both.
        input_size: (height, width) that it takes, None where any is taken.
        batch: how many images the file takes at once, None where any number is; `run` takes any.
        dtype: that the network computes in.
        flip: whether the mean over image and mirror is inside.
        memory: what it remembers of its training, see `Facts`.
        runtime: what runs it, with version and device, "onnxruntime 1.32.0, CPUExecutionProvider".
    """

    def __init__(self, path: Path, format: str, session: Session, facts: Facts) -> None:
        self.path, self.format, self.facts = path, format, facts
        self.runtime, self._session = session.runtime, session
        self.labels: LabelMap = facts.labels
        self.recipe: dict[str, Any] | None = facts.recipe
        self.size, self.input_size, self.batch = facts.size, facts.input_size, facts.batch
        self.answer, self.input, self.dtype, self.flip = facts.answer, facts.input, facts.dtype, facts.flip
        self.memory = facts.memory

    @property
    def num_classes(self) -> int:
        return self.labels.num_classes

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return float32 logits (B, h, w, C), or uint8 labels (B, h, w) where `answer` is "labels".

        A batch that is fixed is filled with zeros and cut, or taken in parts.

        Args:
            images: uint8 or float (B, h, w, 3), RGB in [0, 255]; a file that takes uint8 gets floats rounded.

        Raises:
            UserError: images of another shape, or of another size than the file takes.
        """
        images = self._prepared(np.asarray(images))
        if self.batch is None or len(images) == self.batch:
            return self._finished(self._session.answer(images))
        parts = [images[i : i + self.batch] for i in range(0, len(images), self.batch)]
        filled = [np.concatenate([p, np.zeros((self.batch - len(p), *p.shape[1:]), p.dtype)]) for p in parts]
        answers = [self._finished(self._session.answer(p)) for p in filled]
        return np.concatenate(answers)[: len(images)]

    def check(self) -> SelfTest:
        """Return how the file answers on this machine to the image that it carries, against the answer it carries.

        Raises:
            UserError: it carries none that can be read.
        """
        pair = self.facts.pair(str(self.path))
        found, expected = self.run(pair.images)[:, :: pair.stride, :: pair.stride], pair.answers
        if found.shape != expected.shape:
            raise UserError(f"the self-test of {self.path} has answers of another shape; export it again")
        if self.answer == "labels":
            return SelfTest(None, float((found == expected).mean()))
        agreement = float((found.argmax(-1) == expected.argmax(-1)).mean())
        return SelfTest(float(np.abs(found - expected).max()), agreement)

    def _prepared(self, images: np.ndarray) -> np.ndarray:
        if images.ndim != 4 or images.shape[-1] != 3 or not len(images):
            raise UserError(f"images have shape {images.shape}; {self.path} takes RGB images (B, height, width, 3)")
        if self.input_size is not None and images.shape[1:3] != self.input_size:
            takes, given = ("x".join(map(str, size)) for size in (self.input_size, images.shape[1:3]))
            raise UserError(
                f"{self.path} takes images of {takes}, and these are {given}; resize them, or export a file that takes "
                "any size, with --size free"
            )
        if self.input == "uint8" and images.dtype != np.uint8:
            images = np.rint(images).clip(0, 255)
        return np.ascontiguousarray(images, self.input)

    def _finished(self, answer: np.ndarray) -> np.ndarray:
        return np.asarray(answer, np.uint8 if self.answer == "labels" else np.float32)


def is_exported(path: str | Path) -> bool:
    """Return whether a path is named, or as a folder filled, like an exported model; it is not opened."""
    return find_format(path) is not None


def load_exported(path: str | Path, threads: int | None = None) -> Exported:
    """Return an exported model, loaded by its runtime.

    Args:
        path: a file or folder that `desertseg export` wrote.
        threads: for the runtimes that can be told; None takes the cores that this process may use.

    Raises:
        UserError: there is no such file, it is none of desertseg's, or its runtime is not installed.
    """
    path = Path(path)
    name = find_format(path)
    if not path.exists():
        raise UserError(f"model {path} does not exist; `desertseg export` writes one")
    if name is None:
        known = ", ".join(its.suffix or "a SavedModel folder" for its in FORMATS.values())
        raise UserError(f"{path} is no exported model; one is {known}")
    module, kind = _SESSIONS[name]
    session: Session = getattr(import_module(module), kind)(path, threads or count_cores())
    return Exported(path, name, session, Facts.from_json(session.facts, str(path)))
