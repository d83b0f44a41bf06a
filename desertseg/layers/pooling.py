"""Max-pooling with symmetric padding, and the mean over a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
from keras import ops

from desertseg.layers.form import uses_fast_form
from desertseg.layers.padding import output_size

_POOL, _STRIDES = (3, 3), (2, 2)


@keras.saving.register_keras_serializable("desertseg")
class MaxPooling(keras.layers.Layer):
    """Maximum over 3x3 windows, stride 2, symmetric padding: PyTorch's `MaxPool2d(3, 2, 1)`.

    On JAX it is a maximum over three columns, then over three rows, with a gradient of its own: XLA's gradient of a
    pooling window (select-and-scatter) takes 20 times as long as the forward pass.
    """

    def call(self, inputs: Any) -> Any:
        if uses_fast_form():
            return _pool_separably(inputs)
        inputs = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=float("-inf"))
        return ops.max_pool(inputs, _POOL, _STRIDES, "valid")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *output_size(input_shape[1:3], _POOL, _STRIDES, (1, 1)), input_shape[-1])


@keras.saving.register_keras_serializable("desertseg")
class ImagePooling(keras.layers.Layer):
    """Mean over height and width, float32 inside: (B, H, W, C) -> (B, 1, 1, C)."""

    def call(self, inputs: Any) -> Any:
        mean = ops.mean(ops.cast(inputs, "float32"), axis=(1, 2), keepdims=True)
        return ops.cast(mean, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 1, 1, input_shape[-1])


def _pool_separably(inputs: Any) -> Any:
    return _pool_axis_function()(_pool_axis_function()(inputs, 2), 1)


@cache
def _pool_axis_function() -> Callable:
    """Return the maximum over three neighbours, stride 2, along one axis, with its own gradient.

    The gradient of a tie goes to the first of the equal values, as in PyTorch.
    """
    import jax
    import jax.numpy as jnp

    def forward(inputs, axis):
        before, centre, after = _neighbours(inputs, axis)
        return jnp.maximum(jnp.maximum(before, centre), after), inputs

    def backward(axis, inputs, gradient):
        before, centre, after = _neighbours(inputs, axis)
        first = (before >= centre) & (before >= after)
        second = ~first & (centre >= after)
        zero = jnp.zeros((), gradient.dtype)
        to_before = jax.lax.slice_in_dim(jnp.where(first, gradient, zero), 1, None, axis=axis)
        to_after = jnp.where(first | second, zero, gradient) + jnp.pad(to_before, _at_axis(axis, (0, 1)))
        pairs = jnp.stack([jnp.where(second, gradient, zero), to_after], axis + 1)
        whole = pairs.reshape(*inputs.shape[:axis], -1, *inputs.shape[axis + 1 :])
        return (jax.lax.slice_in_dim(whole, 0, inputs.shape[axis], axis=axis),)

    pool = jax.custom_vjp(lambda inputs, axis: forward(inputs, axis)[0], nondiff_argnums=(1,))
    pool.defvjp(forward, backward)
    return jax.jit(pool, static_argnums=1)


def _neighbours(inputs: Any, axis: int) -> tuple[Any, Any, Any]:
    """Return the values before, at and after every even position; -inf beyond the ends."""
    import jax
    import jax.numpy as jnp

    if inputs.shape[axis] % 2:
        inputs = jnp.pad(inputs, _at_axis(axis, (0, 1)), constant_values=-jnp.inf)
    pairs = inputs.reshape(*inputs.shape[:axis], -1, 2, *inputs.shape[axis + 1 :])
    even = jax.lax.index_in_dim(pairs, 0, axis + 1, keepdims=False)
    odd = jax.lax.index_in_dim(pairs, 1, axis + 1, keepdims=False)
    before = jax.lax.slice_in_dim(odd, 0, odd.shape[axis] - 1, axis=axis)
    return jnp.pad(before, _at_axis(axis, (1, 0)), constant_values=-jnp.inf), even, odd


def _at_axis(axis: int, amounts: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the padding of a rank-4 array that is `amounts` at `axis` and nothing elsewhere."""
    return [amounts if a == axis else (0, 0) for a in range(4)]
