"""Convolutions as one TensorFlow operation each, for a graph that is translated and not run.

TensorFlow's kernels on a CPU know no dilated depthwise convolution, so its own functions cut the picture into grids
around an undilated one. Translated, that is a dozen operations for what other runtimes do in one.
"""

from __future__ import annotations

from typing import Any

from desertseg.layers.padding import pad_amounts


def convolve_at_once(inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> Any:
    """Return a convolution with symmetric padding, (B, H, W, C) by (h, w, C, F), as one operation."""
    import tensorflow as tf

    window = _window(kernel.shape[:2], strides, dilation_rate)
    return tf.raw_ops.Conv2D(input=inputs, filter=tf.convert_to_tensor(kernel), **window)


def convolve_depthwise_at_once(
    inputs: Any, kernel: Any, strides: tuple[int, int], dilation_rate: tuple[int, int]
) -> Any:
    """Return a depthwise convolution with symmetric padding, (B, H, W, C) by (h, w, C, 1), as one operation."""
    import tensorflow as tf

    window = _window(kernel.shape[:2], strides, dilation_rate)
    return tf.raw_ops.DepthwiseConv2dNative(input=inputs, filter=tf.convert_to_tensor(kernel), **window)


def _window(kernel_size: tuple[int, ...], strides: tuple[int, int], dilation_rate: tuple[int, int]) -> dict[str, Any]:
    pad_y, pad_x = pad_amounts(kernel_size, dilation_rate)
    padding: dict[str, Any] = {"padding": "VALID"}
    if pad_y or pad_x:
        padding = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, pad_y, pad_y, pad_x, pad_x, 0, 0]}
    return {"strides": [1, *strides, 1], "dilations": [1, *dilation_rate, 1], **padding}
