"""Gaussian blur with a width of its own for each sample."""

from __future__ import annotations

from keras import ops


def blur(images, kernel):
    """Return images convolved along both axes with each sample's symmetric kernel; the border is mirrored.

    A batch in which no sample is blurred is returned at no cost.

    Args:
        images: float32 (B, H, W, 3); H and W at least R.
        kernel: float32 (B, R + 1), the weight of the centre and of each distance on either side of it; the weights of
            all 2R + 1 taps sum to 1. (1, 0, ...) leaves a sample as it is.
    """

    def convolve():
        return _convolve(_convolve(images, kernel, axis=1), kernel, axis=2)

    return ops.cond(ops.any(kernel[:, 0] < 1), convolve, lambda: images)


def _convolve(images, kernel, axis):
    radius, length = kernel.shape[1] - 1, images.shape[axis]
    weights = kernel[:, :, None, None, None]
    padding = [(radius, radius) if k == axis else (0, 0) for k in range(4)]
    padded = ops.pad(images, padding, mode="symmetric")

    def shifted(by):
        start = radius + by
        return padded[:, start : start + length] if axis == 1 else padded[:, :, start : start + length]

    result = weights[:, 0] * images
    for distance in range(1, radius + 1):
        result = result + weights[:, distance] * (shifted(-distance) + shifted(distance))
    return result
