"""What is exported: the format and its options, checked before anything is computed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from desertseg.errors import UserError, suggest
from desertseg.runtimes.facts import ANSWERS, INPUTS

DTYPES = ("float32", "float16", "int8")
FREE = "free"
# LiteRT plans its memory for one shape; for any, JAX's layers cannot take the forms that a CPU runs fast (4 x slower).
_OF_ONE_SIZE = ("litert", "stablehlo")


@dataclass(frozen=True)
class Plan:
    """An export as it is asked for.

    Attributes:
        format: one of `FORMATS`.
        size: (height, width) of the images, None for any.
        batch: images a call, None for any number.
        dtype: "float32", "float16" or "int8".
        answer: "logits" or "labels".
        input: the dtype of the images, "uint8" or "float32".
        flip: answer with the mean over the image and its mirror.
    """

    format: str
    size: tuple[int, int] | None = None
    batch: int | None = None
    dtype: str = "float32"
    answer: str = "logits"
    input: str = "uint8"
    flip: bool = False

    @property
    def backend(self) -> str:
        """The Keras backend that the format is made on."""
        return "jax" if self.format == "stablehlo" else "tensorflow"

    @property
    def shape(self) -> tuple[int | None, int | None, int | None, int]:
        """(B, H, W, 3) of the images, None where any number is taken."""
        height, width = self.size or (None, None)
        return (self.batch, height, width, 3)

    def to_json(self) -> str:
        """Return the plan as text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"size": values["size"] and tuple(values["size"])})


def make_plan(
    format: str,
    trained: tuple[int, int] | None,
    size: tuple[int, int] | str | None,
    batch: int | str | None,
    **options: Any,
) -> Plan:
    """Return a plan that its format can follow.

    Args:
        format: one of `FORMATS`.
        trained: (height, width) of the model's training, or None.
        size: (height, width), "free", or None for what suits the format: free, but for LiteRT and StableHLO the
            training size.
        batch: a number, "free", or None for what suits the format: free, but for LiteRT and StableHLO one image.
        **options: the rest of `Plan`.

    Raises:
        UserError: no such value, or an option that the format lacks.
    """
    suited = format in _OF_ONE_SIZE
    if size is None:
        size = trained if suited and trained else FREE
    if batch is None:
        batch = 1 if suited else FREE
    plan = Plan(format, _as_size(size), _as_batch(batch), **options)
    for name, value, known in (
        ("dtype", plan.dtype, DTYPES),
        ("answer", plan.answer, ANSWERS),
        ("input", plan.input, INPUTS),
    ):
        if value not in known:
            raise UserError(f"{name} '{value}' is none to export{suggest(value, known)}; it is {', '.join(known)}")
    if plan.dtype == "int8" and format != "onnx":
        raise UserError(f"int8 is made for onnx alone, not for {format}; choose --format onnx, or --dtype float16")
    return plan


def widened(plan: Plan) -> Plan:
    """Return the plan of the file that a quantised or compressed one is made of."""
    return replace(plan, dtype="float32")


def _as_size(size: tuple[int, int] | str) -> tuple[int, int] | None:
    if isinstance(size, str):
        if size != FREE:
            raise UserError(f"size '{size}' is none; give (height, width), or 'free'")
        return None
    if min(size) < 1:
        raise UserError(f"size {size[0]}x{size[1]} has no pixels; give (height, width), or 'free'")
    return int(size[0]), int(size[1])


def _as_batch(batch: int | str) -> int | None:
    if batch == FREE:
        return None
    if not isinstance(batch, int) or batch < 1:
        raise UserError(f"batch {batch!r} is none; give a number of images, or 'free'")
    return batch
