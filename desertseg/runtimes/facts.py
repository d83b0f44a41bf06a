"""What an exported file says of itself: one JSON text, the same in every format."""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from desertseg.errors import UserError
from desertseg.labels import LabelMap

KEY = "desertseg"  # under which the text stands, and after which a file that holds it is named
ANSWERS = ("logits", "labels")
INPUTS = ("uint8", "float32")


@dataclass(frozen=True)
class Pair:
    """A self-test: images uint8 (B, h, w, 3), and what every `stride`-th row and column of their answers was."""

    images: np.ndarray
    answers: np.ndarray
    stride: int


@dataclass(frozen=True)
class Facts:
    """The facts of an exported model.

    Attributes:
        desertseg: the version that wrote it.
        labels: what the classes are.
        recipe: how it was trained, or None.
        size: (height, width) that it was trained at, or None.
        answer: "logits", float32 (B, h, w, C), or "labels", uint8 (B, h, w).
        input: the dtype of the images (B, h, w, 3), RGB in [0, 255].
        input_size: (height, width) of the images, None where any is taken.
        batch: how many images a call takes, None where any number is.
        dtype: that the network computes in.
        flip: whether each answer is the mean over the image and its mirror.
        self_test: an image and its answer, as `pack_pair` returns them.
        memory: what the model remembers of its training: "class_shares", of the labelled pixels, C numbers, and
            "temperature", that its logits are divided by; None where it remembers neither.
    """

    desertseg: str
    labels: LabelMap
    recipe: dict[str, Any] | None
    size: tuple[int, int] | None
    answer: str
    input: str
    input_size: tuple[int, int] | None
    batch: int | None
    dtype: str
    flip: bool
    self_test: str
    memory: dict[str, Any] | None = None

    def to_json(self) -> str:
        """Return the text."""
        return json.dumps(asdict(self) | {"labels": self.labels.to_dict()})

    @classmethod
    def from_json(cls, text: str | None, source: str) -> Facts:
        """Return the facts that a file's text tells.

        Raises:
            UserError: there is no text, or it is not what `to_json` writes.
        """
        if text is None:
            raise UserError(f"{source} says nothing of desertseg; give a file that `desertseg export` wrote")
        try:
            values = json.loads(text)
            labels = LabelMap.from_dict(values.pop("labels"), f"the label map of {source}")
            size, input_size = _as_size(values.pop("size")), _as_size(values.pop("input_size"))
            facts = cls(labels=labels, size=size, input_size=input_size, **values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{source} says of itself what cannot be read ({error}); export it again with this desertseg"
            ) from error
        if facts.answer not in ANSWERS or facts.input not in INPUTS:
            raise UserError(
                f"{source} takes {facts.input} and answers with {facts.answer}, and this desertseg knows "
                f"{' and '.join(INPUTS)}, {' and '.join(ANSWERS)}; export it again"
            )
        return facts

    def pair(self, source: str) -> Pair:
        """Return the self-test's images and the answers that the model gave when it was exported.

        Raises:
            UserError: they cannot be read.
        """
        try:
            with np.load(io.BytesIO(base64.b64decode(self.self_test, validate=True)), allow_pickle=False) as arrays:
                return Pair(arrays["images"], arrays["answers"], int(arrays["stride"]))
        except (KeyError, OSError, ValueError, EOFError, binascii.Error, zipfile.BadZipFile) as error:
            raise UserError(f"the self-test of {source} cannot be read ({error}); export it again") from error


def pack_pair(images: np.ndarray, answers: np.ndarray, stride: int = 1) -> str:
    """Return images and answers as text: a compressed .npz with "images", "answers" and "stride", in base64.

    Args:
        images: uint8 (B, h, w, 3).
        answers: float32 (B, h, w, C) logits or uint8 (B, h, w) labels.
        stride: keep every `stride`-th row and column of the answers; ten logits a pixel outweigh a small network.
    """
    held = io.BytesIO()
    np.savez_compressed(held, images=images, answers=answers[:, ::stride, ::stride], stride=np.int64(stride))
    return base64.b64encode(held.getvalue()).decode("ascii")


def _as_size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    height, width = value
    return int(height), int(width)
