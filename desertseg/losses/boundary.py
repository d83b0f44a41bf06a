"""Cross-entropy that looks harder at the borders between classes."""

from __future__ import annotations

import functools

import keras
from keras import ops

from desertseg.losses.pixels import LossError, PixelLoss, divide, restrict

_NONE = 1 << 20  # above every label


@keras.saving.register_keras_serializable(package="desertseg")
class BoundaryCrossEntropy(PixelLoss):
    """The weighted mean of -log p(label) over valid pixels; a border pixel weighs 1 + strength, another one 1.

    A border pixel has another valid label among the (2 * radius + 1)^2 pixels around it. Ignored pixels and the edge of
    the image make no border. With `class_weights` w a pixel's weight is w[label] times that. The mean divides by the
    sum of the weights.

    Source: Ronneberger et al., U-Net, 2015, equation 2, with its weight near a border constant within `radius` instead
    of falling off with the distance to the two nearest cells; the band is the trimap of Kohli et al., Robust higher
    order potentials, 2009, section 5.

    Args:
        radius: pixels, >= 1; the band is radius wide on either side of a border. Desert masks are ragged: of Falcon's
            pixels at 192 x 320, 41 % lie within 1 pixel of a border and 51 % within 2 (measured), so keep it small.
        strength: what a border pixel weighs more than another one, >= 0; 0 is `CrossEntropy`.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(self, radius=1, strength=2.0, class_weights=None, ignore_index=255, name="boundary"):
        super().__init__(class_weights, ignore_index, name)
        self.radius, self.strength = int(radius), float(strength)
        if self.radius != radius or self.radius < 1:
            raise LossError(f"radius is {radius}; it must be a whole number of pixels, at least 1")
        if not 0 <= self.strength < float("inf"):
            raise LossError(f"strength is {strength}; it must be finite and not negative (0 is cross-entropy)")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        values = -ops.sum(ops.where(pixels.hot, pixels.log_probabilities, 0.0), axis=-1)
        border = restrict(pixels, find_borders(y_true, pixels.valid, self.radius))
        total = self._total(values, pixels) + self.strength * self._total(values, border)
        count = self._count(pixels.valid, pixels.hot) + self.strength * self._count(border.valid, border.hot)
        return divide(total, count) + pixels.guard

    def mass(self, labels):
        """Return the sum of the weights of the valid pixels, a float32 scalar: what the loss is divided by."""
        labels = ops.convert_to_tensor(labels)
        border = ops.where(find_borders(labels, labels != self.ignore_index, self.radius), labels, self.ignore_index)
        return super().mass(labels) + self.strength * super().mass(border)

    def get_config(self):
        return {"radius": self.radius, "strength": self.strength, **super().get_config()}


def find_borders(labels, valid, radius: int):
    """Return bool (B, H, W): valid pixels with another valid label among the (2 * radius + 1)^2 pixels around them.

    The largest and the smallest label of a square are found by rows, then by columns, from shifted copies: XLA runs
    those faster on a CPU than a pooling of integers.
    """
    labels = ops.cast(labels, "int32")
    highest = ops.where(valid, labels, -_NONE)
    lowest = ops.where(valid, -labels, -_NONE)  # negated, so that both are maxima
    for axis in (1, 2):
        highest, lowest = (_slide_maximum(values, axis, radius) for values in (highest, lowest))
    return valid & (highest != -lowest)


def _slide_maximum(values, axis: int, radius: int):
    """Return the maximum of the 2 * radius + 1 values around each one along an axis; outside there is nothing."""
    length = ops.shape(values)[axis]
    outside = [(radius, radius) if k == axis else (0, 0) for k in range(3)]
    padded = ops.pad(values, outside, constant_values=-_NONE)
    shifted = [padded[:, k : k + length] if axis == 1 else padded[:, :, k : k + length] for k in range(2 * radius + 1)]
    return functools.reduce(ops.maximum, shifted)
