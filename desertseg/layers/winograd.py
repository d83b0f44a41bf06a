"""3x3 convolution by Winograd's minimal filtering on JAX: 16 matrix products where the plain form needs 36.

A 2x2 tile of the output is computed from a 4x4 tile of the input, F(2x2, 3x3). Its constants are 1 and 1/2, so float32
loses less than a bit more than in the plain form. Dilation d is d * d undilated convolutions on every d-th pixel.

Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

# With fewer channels the transforms cost as much as the products save (measured on a CPU).
_LEAST_CHANNELS = 256


def suits_winograd(kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> bool:
    """Return whether Winograd's form is worth its transforms for this convolution, on a CPU."""
    return (
        kernel.shape[:2] == (3, 3)
        and strides == (1, 1)
        and dilation_rate[0] == dilation_rate[1]
        and min(kernel.shape[2:]) >= _LEAST_CHANNELS
        and kernel.dtype == "float32"
    )


@cache
def winograd_function(plain: Callable) -> Callable:
    """Return `plain(inputs, kernel, dilation)` with Winograd's form on a CPU, in both directions; made once.

    An accelerator's library chooses by itself, so there `plain` stays.
    """
    import jax

    def either(inputs, kernel, dilation):
        return jax.lax.platform_dependent(
            inputs,
            kernel,
            cpu=lambda inputs, kernel: convolve_winograd(inputs, kernel, dilation),
            default=lambda inputs, kernel: plain(inputs, kernel, dilation),
        )

    def forward(inputs, kernel, dilation):
        return either(inputs, kernel, dilation), (inputs, kernel)

    def backward(dilation, saved, gradient):
        def gradients_of(convolve):
            return lambda saved, gradient: jax.vjp(lambda *operands: convolve(*operands, dilation), *saved)[1](gradient)

        return jax.lax.platform_dependent(
            saved, gradient, cpu=gradients_of(convolve_winograd), default=gradients_of(plain)
        )

    convolve = jax.custom_vjp(either, nondiff_argnums=(2,))
    convolve.defvjp(forward, backward)
    return jax.jit(convolve, static_argnums=2)


def convolve_winograd(inputs: Any, kernel: Any, dilation: int = 1) -> Any:
    """Return the 3x3 convolution of stride 1 and symmetric padding (B, H, W, N).

    Args:
        inputs: (B, H, W, C).
        kernel: (3, 3, C, N).
        dilation: of both axes.
    """
    import jax.numpy as jnp

    if dilation == 1:
        return _convolve_undilated(inputs, kernel)
    batch, height, width, channels = inputs.shape
    rows, columns = -(-height // dilation), -(-width // dilation)
    extra = ((0, 0), (0, rows * dilation - height), (0, columns * dilation - width), (0, 0))
    phases = jnp.pad(inputs, extra).reshape(batch, rows, dilation, columns, dilation, channels)
    phases = phases.transpose(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, channels)
    outputs = _convolve_undilated(phases, kernel).reshape(batch, dilation, dilation, rows, columns, -1)
    outputs = outputs.transpose(0, 3, 1, 4, 2, 5).reshape(batch, rows * dilation, columns * dilation, -1)
    return outputs[:, :height, :width]


def _convolve_undilated(inputs: Any, kernel: Any) -> Any:
    import jax.numpy as jnp

    batch, height, width, channels = inputs.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    extra = ((0, 0), (1, 2 * rows + 1 - height), (1, 2 * columns + 1 - width), (0, 0))
    pairs = jnp.pad(inputs, extra).reshape(batch, rows + 1, 2, columns + 1, 2, channels)
    tile = [
        [pairs[:, y // 2 : y // 2 + rows, y % 2, x // 2 : x // 2 + columns, x % 2] for x in range(4)] for y in range(4)
    ]
    transformed = jnp.stack(_both_axes(_transform_input, tile)).reshape(16, -1, channels)
    weights = jnp.stack(_both_axes(_transform_kernel, kernel))
    products = jnp.matmul(transformed, weights).reshape(4, 4, batch, rows, columns, -1)
    corners = _both_axes(_transform_output, products)
    upper, lower = jnp.stack(corners[:2], 3), jnp.stack(corners[2:], 3)
    return jnp.stack([upper, lower], 2).reshape(batch, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _both_axes(transform: Callable, tile: Any) -> list:
    """Return the tile's entries, row by row, after `transform` along its columns and then along its rows."""
    columns = [transform(*(row[x] for row in tile)) for x in range(len(tile[0]))]
    return [entry for y in range(len(columns[0])) for entry in transform(*(column[y] for column in columns))]


def _transform_input(a: Any, b: Any, c: Any, d: Any) -> tuple:
    return a - c, b + c, c - b, b - d


def _transform_kernel(a: Any, b: Any, c: Any) -> tuple:
    return a, (a + b + c) * 0.5, (a - b + c) * 0.5, c


def _transform_output(a: Any, b: Any, c: Any, d: Any) -> tuple:
    return a + b + c, b - c - d
