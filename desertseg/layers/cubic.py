"""Bicubic resizing as PyTorch has it; Keras' own has another kernel and other borders."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# The kernel's free parameter: PyTorch's, and the one that it takes with anti-aliasing, as Pillow does.
_PARAMETER, _PARAMETER_ANTIALIAS = -0.75, -0.5


def resize_bicubic(inputs: Any, size: tuple[Any, Any], *, offset: Any = 0.0, antialias: bool = False) -> Any:
    """Return one picture (h, w, C) resized to (height, width, C), two matrix products in its dtype.

    It equals `torch.nn.functional.interpolate(..., mode="bicubic", align_corners=False)`.

    Args:
        inputs: float (h, w, C).
        size: (height, width), integers or, on TensorFlow, tensors.
        offset: added to the new size before the scale is taken from it: `scale_factor=(size + offset) / old size`.
        antialias: widen the kernel where the picture shrinks.
    """
    height, width, channels = inputs.shape
    rows = cubic_matrix(height, size[0], offset=offset, antialias=antialias)
    columns = cubic_matrix(width, size[1], offset=offset, antialias=antialias)
    tall = ops.reshape(_product(rows, ops.reshape(inputs, (height, width * channels))), (-1, width, channels))
    return _product(ops.broadcast_to(columns, (size[0], size[1], width)), tall)


def cubic_matrix(old: int, new: Any, *, offset: Any = 0.0, antialias: bool = False) -> Any:
    """Return float32 (new, old): the weights with which bicubic resizing takes old samples along one axis.

    Args:
        old: samples there are.
        new: samples wanted, an integer or a tensor.
        offset, antialias: as in `resize_bicubic`.
    """
    scale = old / (ops.cast(new, "float32") + offset)
    centres = (ops.cast(ops.arange(new), "float32") + 0.5) * scale - 0.5
    samples = ops.arange(old, dtype="float32")
    if antialias:
        widening = ops.maximum(scale, 1.0)
        weights = _kernel((samples - centres[:, None]) / widening, _PARAMETER_ANTIALIAS)
        return weights / ops.sum(weights, axis=1, keepdims=True)
    first = ops.floor(centres)
    matrix: Any = 0.0
    for tap in (-1, 0, 1, 2):
        # Samples beyond the border count as the one at the border.
        place = ops.clip(first + tap, 0, old - 1)
        weight = _kernel(first + tap - centres, _PARAMETER)
        matrix = matrix + ops.cast(samples == place[:, None], "float32") * weight[:, None]
    return matrix


def _kernel(distance: Any, a: float) -> Any:
    """Return the cubic convolution kernel (Keys 1981, equation 4, with a free parameter)."""
    x = ops.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return ops.where(x <= 1, near, ops.where(x < 2, far, ops.zeros_like(x)))


def _product(left: Any, right: Any) -> Any:
    if keras.backend.backend() == "jax":
        import jax.numpy as jnp

        # On a GPU the default would round float32 to 10 bits of mantissa.
        return jnp.matmul(left, right, precision="highest")
    return ops.matmul(left, right)
