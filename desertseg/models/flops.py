"""How much a network computes."""

from __future__ import annotations

import math
from typing import Any

import keras

from desertseg.layers import plain_forms
from desertseg.models.errors import ModelError


def count_flops(network: keras.Model, size: tuple[int, int]) -> int:
    """Return the floating-point operations of one image's forward pass: two for each multiply-add.

    Convolutions and matrix products are counted, of which both factors depend on the image or a weight. So what
    resizes or pools by a constant matrix costs nothing here, as in PyTorch's counter, and neither does anything that
    works element by element. Nothing is computed: JAX traces the plain form of every layer.

    Args:
        network: from images (B, H, W, 3).
        size: (height, width) of the image.

    Raises:
        ModelError: Keras does not run on JAX.
    """
    if keras.backend.backend() != "jax":
        raise ModelError("operations are counted by tracing with JAX; run with KERAS_BACKEND=jax")
    import jax

    def forward(trainable: list[Any], other: list[Any], images: Any) -> Any:
        return network.stateless_call(trainable, other, images, training=False)[0]

    values = [[v.value for v in group] for group in (network.trainable_variables, network.non_trainable_variables)]
    image = jax.ShapeDtypeStruct((1, *size, 3), "float32")
    with plain_forms():
        traced = jax.make_jaxpr(forward)(*values, image).jaxpr
    return count_program(traced, [True] * len(traced.invars))[0]


def count_program(program: Any, varying: list[bool]) -> tuple[int, list[bool]]:
    """Return the operations of a traced program, and which of its results vary with its inputs."""
    varies = {id(v) for v, yes in zip(program.invars, varying, strict=True) if yes}
    total = 0
    for step in program.eqns:
        flags = [id(v) in varies for v in step.invars]
        inner = next((step.params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in step.params), None)
        if inner is not None:
            count, results = count_program(getattr(inner, "jaxpr", inner), flags)
            total += count
        else:
            results = [any(flags)] * len(step.outvars)
            if step.primitive.name == "dot_general" and all(flags):
                total += _product(step)
            elif step.primitive.name == "conv_general_dilated" and all(flags):
                total += _convolution(step)
        varies |= {id(v) for v, yes in zip(step.outvars, results, strict=True) if yes}
    return total, [id(v) in varies for v in program.outvars]


def _product(step: Any) -> int:
    contracted = step.params["dimension_numbers"][0][0]
    left = step.invars[0].aval.shape
    return 2 * math.prod(step.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)


def _convolution(step: Any) -> int:
    """Each output value takes a kernel's area times the input channels of its group."""
    kernel = step.invars[1].aval.shape
    outputs = step.params["dimension_numbers"].rhs_spec[0]
    return 2 * math.prod(step.outvars[0].aval.shape) * math.prod(kernel) // kernel[outputs]
