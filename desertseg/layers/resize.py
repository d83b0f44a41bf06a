"""Bilinear resizing to the size that another tensor has when the model runs."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.layers.form import uses_fast_form


@keras.saving.register_keras_serializable("desertseg")
class ResizeLike(keras.layers.Layer):
    """Bilinear resizing of the first input to height and width of the second.

    Args:
        align_corners: False puts sample centres at half pixels (Keras, TensorFlow, torch align_corners=False); True
            maps corner pixels onto corner pixels (torch `UpsamplingBilinear2d`).
        **kwargs: as `keras.layers.Layer`; `dtype="float32"` for logits.
    """

    def __init__(self, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def call(self, inputs: Any, reference: Any) -> Any:
        shape = ops.shape(reference)
        return resize_bilinear(inputs, (shape[1], shape[2]), self.align_corners)

    def compute_output_shape(self, inputs_shape: tuple, reference_shape: tuple) -> tuple:
        return (inputs_shape[0], *reference_shape[1:3], inputs_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "align_corners": self.align_corners}


@keras.saving.register_keras_serializable("desertseg")
class BroadcastLike(keras.layers.Layer):
    """Repeat (B, 1, 1, C) to height and width of the second input; what bilinear resizing makes of one pixel."""

    def call(self, inputs: Any, reference: Any) -> Any:
        shape = ops.shape(reference)
        return ops.broadcast_to(inputs, (shape[0], shape[1], shape[2], inputs.shape[-1]))

    def compute_output_shape(self, inputs_shape: tuple, reference_shape: tuple) -> tuple:
        return (inputs_shape[0], *reference_shape[1:3], inputs_shape[-1])


def resize_bilinear(inputs: Any, size: tuple[Any, Any], align_corners: bool = False) -> Any:
    """Return `inputs` resized bilinearly, in its dtype, without anti-aliasing.

    Args:
        inputs: float (B, H, W, C).
        size: (height, width); on TensorFlow they may be tensors.
        align_corners: as in `ResizeLike`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        resized = tf.raw_ops.ResizeBilinear(
            images=inputs, size=tf.stack(size), align_corners=align_corners, half_pixel_centers=not align_corners
        )
        return tf.cast(resized, inputs.dtype)
    if not uses_fast_form() and not align_corners:
        return ops.image.resize(inputs, size, "bilinear", antialias=False)
    return _resize_axis(
        _resize_axis(ops.convert_to_tensor(inputs), 2, int(size[1]), align_corners), 1, int(size[0]), align_corners
    )


def _resize_axis(inputs: Any, axis: int, new: int, align_corners: bool) -> Any:
    old = inputs.shape[axis]
    if new == old:
        return inputs
    if new % old == 0 and not align_corners:
        return _enlarge_axis(inputs, axis, new // old)
    return _interpolate_axis(inputs, axis, new, align_corners)


def _enlarge_axis(inputs: Any, axis: int, factor: int) -> Any:
    """Return `inputs` enlarged by an integer: each output phase is one weighted sum of the picture and a neighbour."""
    import jax
    import jax.numpy as jnp

    size = inputs.shape[axis]
    first = jax.lax.slice_in_dim(inputs, 0, 1, axis=axis)
    last = jax.lax.slice_in_dim(inputs, size - 1, size, axis=axis)
    before = jnp.concatenate([first, jax.lax.slice_in_dim(inputs, 0, size - 1, axis=axis)], axis)
    after = jnp.concatenate([jax.lax.slice_in_dim(inputs, 1, size, axis=axis), last], axis)
    phases = []
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5
        neighbour = before if offset < 0 else after
        phases.append(inputs * (1 - abs(offset)) + neighbour * abs(offset))
    return jnp.stack(phases, axis + 1).reshape(*inputs.shape[:axis], -1, *inputs.shape[axis + 1 :])


def _interpolate_axis(inputs: Any, axis: int, new: int, align_corners: bool) -> Any:
    """Return `inputs` resized along one axis by a matrix product, batched so that nothing is transposed."""
    import jax.numpy as jnp

    old = inputs.shape[axis]
    batch = math.prod(inputs.shape[:axis])
    matrix = jnp.asarray(interpolation_matrix(old, new, align_corners), inputs.dtype)
    rows = inputs.reshape(batch, old, -1)
    # "highest": on a GPU the default would round float32 to 10 bits of mantissa.
    resized = jnp.matmul(jnp.broadcast_to(matrix, (batch, new, old)), rows, precision="highest")
    return resized.reshape(*inputs.shape[:axis], new, *inputs.shape[axis + 1 :])


@lru_cache(maxsize=64)
def interpolation_matrix(old: int, new: int, align_corners: bool) -> np.ndarray:
    """Return float32 (new, old): the weights with which bilinear resizing takes old samples along one axis."""
    indices = np.arange(new, dtype=np.float64)
    if align_corners:
        position = indices * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        position = (indices + 0.5) * old / new - 0.5
    position = position.clip(0, old - 1)
    lower = np.floor(position).astype(int).clip(max=max(old - 2, 0))
    matrix = np.zeros((new, old))
    matrix[np.arange(new), lower] += 1 - (position - lower)
    matrix[np.arange(new), np.minimum(lower + 1, old - 1)] += position - lower
    return matrix.astype(np.float32)
