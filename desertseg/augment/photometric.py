"""Colour, optics and the desert's own light, on the device: a pure function of images, labels and drawn parameters."""

from __future__ import annotations

from keras import ops

from desertseg.augment.blur import blur
from desertseg.augment.clahe import clahe
from desertseg.augment.color import add_noise, adjust_color, adjust_gamma, brightest
from desertseg.augment.desert_light import add_glare, add_haze, cast_shadow, find_horizon, tint_ground
from desertseg.labels import IGNORE_INDEX

_EFFECTS = {"tint", "shadow", "haze", "glare", "blur", "color", "gamma", "clahe", "noise"}


def photometric(images, labels, parameters):
    """Return the images with every photometric effect that `parameters` holds, float32 in [0, 255].

    In the order in which light goes: the ground's own colour, shadow on it, dust before it, glare and blur in the lens,
    then what a camera does: colour, gamma, CLAHE, noise. What lies outside the frame (black, without a label) stays
    black, as at inference. Nothing is drawn here, and at strength 0 a sample is returned as it is.

    Args:
        images: float32 (B, H, W, 3), RGB in [0, 255], at training size.
        labels: integer (B, H, W) of the same pixels, 255 where there is none.
        parameters: what `desertseg.data.photometric.draw_photometric` drew, stacked; other keys are ignored.
    """
    if not _EFFECTS & set(parameters):
        return images
    labels = ops.convert_to_tensor(labels)
    images = before = ops.convert_to_tensor(images, "float32")
    images = _see(images, labels, parameters)
    images = _photograph(images, parameters)
    outside = ops.logical_and((labels == IGNORE_INDEX)[..., None], brightest(before) == 0)
    return ops.where(outside, 0.0, ops.clip(images, 0, 255))


def _see(images, labels, p):
    """Return what reaches the lens: the scene in its light."""
    horizon = find_horizon(labels, p["sky"]) if "sky" in p else None
    if "tint" in p:
        images = tint_ground(images, labels, p["tint"], p["tint_weights"])
    if "shadow" in p:
        images = cast_shadow(images, labels, p["sky"], horizon, p["shadow"], p["shadow_field"])
    if "haze" in p:
        images = add_haze(images, horizon, p["haze"], p["haze_field"])
    if "glare" in p:
        images = add_glare(images, labels, p["sky"], horizon, p["glare"])
    return images


def _photograph(images, p):
    """Return what the camera makes of it."""
    if "blur" in p:
        images = blur(images, p["blur"])
    if "color" in p:
        images = ops.clip(adjust_color(images, p["color"]), 0, 255)
    if "gamma" in p:
        images = adjust_gamma(images, p["gamma"])
    if "clahe" in p:
        images = clahe(images, p["clahe"])
    if "noise" in p:
        images = add_noise(images, p["noise"], p["noise_offset"])
    return images
