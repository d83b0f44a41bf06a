"""PyTorch's symmetric padding: the same number of rows on both sides, whatever the stride.

Keras's "same" pads (0, 1) for a 3x3 convolution of stride 2 on an even size, PyTorch (1, 1). They see the picture half
a pixel apart, so weights trained with one are wrong with the other. Here it is always symmetric.
"""

from __future__ import annotations

from typing import Any


def pad_amounts(kernel_size: tuple[int, ...], dilation_rate: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns added on each side: dilation * (kernel - 1) // 2."""
    return (dilation_rate[0] * (kernel_size[0] - 1) // 2, dilation_rate[1] * (kernel_size[1] - 1) // 2)


def output_size(
    size: tuple[Any, ...], kernel_size: tuple[int, ...], strides: tuple[int, ...], dilation_rate: tuple[int, ...]
) -> tuple[Any, ...]:
    """Return (height, width) after a window of symmetric padding moved over `size`; None, not known yet, stays None."""
    pads = pad_amounts(kernel_size, dilation_rate)
    reach = [
        n and n + 2 * p - d * (k - 1) - 1 for n, p, k, d in zip(size, pads, kernel_size, dilation_rate, strict=True)
    ]
    return tuple(r if r is None else r // s + 1 for r, s in zip(reach, strides, strict=True))
