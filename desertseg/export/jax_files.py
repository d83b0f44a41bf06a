"""The format that is made on JAX: StableHLO, as jax.export serialises it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from desertseg.export.plan import Plan
from desertseg.export.program import as_computed, make_program
from desertseg.layers import plain_forms
from desertseg.models import Segmenter

_PLATFORMS = ("cpu", "cuda")
_AXES = ("batch", "height", "width")


def write_stablehlo(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write a file that jax.export.deserialize reads, for CPUs and NVIDIA GPUs alike.

    The forms that layers take on JAX are made for one size; for any size they compute the plain Keras operations.
    """
    import jax
    from jax import export

    free = [name if n is None else str(n) for n, name in zip(plan.shape[:3], _AXES, strict=True)]
    shape = export.symbolic_shape(f"{', '.join(free)}, 3")
    program = jax.jit(make_program(as_computed(segmenter, plan), plan))
    with plain_forms() if None in plan.shape[1:3] else contextlib.nullcontext():
        exported = export.export(program, platforms=_PLATFORMS)(jax.ShapeDtypeStruct(shape, plan.input))
    path.write_bytes(exported.serialize())
