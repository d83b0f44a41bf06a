"""The desert's own light: ground of another colour, cast shadows, dust in the air, a low sun."""

from __future__ import annotations

import numpy as np
from keras import ops

from desertseg.augment.color import brightest, luma
from desertseg.labels import IGNORE_INDEX

_SPARSE = 4  # every so many rows and columns serve for a mean
_RISE = 0.12  # heights of the picture above the horizon within which a shadow fades
_NEAR = 0.06  # heights of the picture below the horizon within which a shadow gains its full depth
_OWN = 0.35  # how much of its deviation in colour tinted ground keeps
_DARK = 56.0  # brightness below which a pixel counts as shadowed already: no second shadow darkens it as much


def find_horizon(labels, sky):
    """Return float32 (B,): the row that best parts sky above from ground below, by every fourth column.

    It is 0 where no sky is seen.

    Args:
        labels: integer (B, H, W), 255 where there is none.
        sky: int32 (B,), the index of the sky; -1 if no class is.
    """
    some = labels[:, :, ::_SPARSE]
    known, above = some != IGNORE_INDEX, _is_sky(some, sky)
    skies = ops.sum(ops.cast(above, "int32"), axis=2)
    grounds = ops.sum(ops.cast(ops.logical_and(known, ops.logical_not(above)), "int32"), axis=2)
    # Pixels on the wrong side, were the horizon above row 0, 1, ... H.
    wrong = ops.pad(ops.cumsum(grounds - skies, axis=1), [(0, 0), (1, 0)])
    return ops.cast(ops.argmin(wrong, axis=1), "float32")


def tint_ground(images, labels, target, weights):
    """Return images whose ground is drawn towards another colour; each sample's own texture stays.

    At strength 1 ground of the mean colour becomes the target; lighter and darker ground keeps its place around it, and
    a third of its own colour's deviation.

    Args:
        images: float32 (B, H, W, 3) in [0, 255].
        labels: integer (B, H, W).
        target: float32 (B, 4), red, green and blue of the new ground and the strength, 0 to 1.
        weights: float32 (B, 256), how much of the tint each label takes; the ground's are 1.
    """
    batch = images.shape[0]
    first = ops.reshape(ops.arange(batch, dtype="int32") * 256, (-1, 1, 1))
    weight = ops.take(ops.reshape(weights, (-1,)), first + ops.cast(labels, "int32"), axis=0)[..., None]
    some = slice(None), slice(None, None, _SPARSE), slice(None, None, _SPARSE)
    known = ops.cast(labels[some] != IGNORE_INDEX, "float32")[..., None]
    ground = weight[some] ** 3 * known  # its colour is hardly that of plants
    mean = ops.sum(images[some] * ground, axis=(1, 2)) / ops.maximum(ops.sum(ground, axis=(1, 2)), 1)
    light = luma(images) / ops.maximum(luma(mean), 8)[:, None, None]
    mean, color, strength = mean[:, None, None], target[:, None, None, :3], target[:, None, None, 3:]
    own = images - mean * light
    # Where the ground is bright there is little room above it, and its shadows are filled by its own light.
    shoulder = 3 * (luma(color) / 255) ** 2
    light = light * (1 + shoulder) / (1 + shoulder * light)
    return ops.clip(images + strength * weight * (color * light + _OWN * own - images), 0, 255)


def cast_shadow(images, labels, sky, horizon, shadow, field):
    """Return images with a shadow on all but the sky; what rises above the horizon stands more and more in the light.

    Args:
        images: float32 (B, H, W, 3) in [0, 255].
        labels: integer (B, H, W).
        sky: int32 (B,), the index of the sky; -1 if no class is.
        horizon: float32 (B,), a row.
        shadow: float32 (B, 4): how much of red, green and blue the shadow takes, 0 to 1, and how wide its edge is, on
            the scale of the field.
        field: float32 (B, h, w) on a coarse grid: above 0 in the shadow. Drawn out bilinearly and cut at 0, so that
            the edge is as sharp as it should be at any size.
    """
    level = upsample(field, images.shape[1:3]) / ops.maximum(shadow[:, 3:, None], 1e-3)
    mask = ops.clip(level + 0.5, 0, 1)
    mask = mask * mask * (3 - 2 * mask) * ops.cast(ops.logical_not(_is_sky(labels, sky)), "float32")
    below = _below(horizon, images.shape[1])
    air = 1 - 0.5 * ops.exp(-ops.maximum(below, 0) / _NEAR)  # the air before far ground is lit
    mask = mask * (air * ops.exp(ops.minimum(below, 0) / _RISE))[..., None]
    lit = ops.minimum(brightest(images) / _DARK, 1)
    return images * (1 - mask[..., None] * lit * shadow[:, None, None, :3])


def add_haze(images, horizon, haze, field):
    """Return images seen through dust, which is densest at the horizon.

    Along the ground the dust that lies between grows with the distance, so towards the horizon; in the sky it thins
    out upwards.

    Args:
        images: float32 (B, H, W, 3) in [0, 255].
        horizon: float32 (B,), a row.
        haze: float32 (B, 6): the dust's red, green and blue, its opacity at the horizon, and how far it reaches below
            and above that, as shares of the height.
        field: float32 (B, h, w) on a coarse grid: the density, 1 on average.
    """
    below = _below(horizon, images.shape[1])
    depth = ops.where(
        below > 0,
        haze[:, 4:5] / (haze[:, 4:5] + ops.maximum(below, 0)),
        ops.exp(ops.minimum(below, 0) / haze[:, 5:6]),
    )
    opacity = haze[:, 3, None, None] * depth[:, :, None] * upsample(field, images.shape[1:3])
    return images + ops.clip(opacity, 0, 1)[..., None] * (haze[:, None, None, :3] - images)


def add_glare(images, labels, sky, horizon, glare):
    """Return images taken towards a low sun: warm light, bloom around the sun, a veil over everything.

    Args:
        images: float32 (B, H, W, 3) in [0, 255].
        labels: integer (B, H, W); the disc of the sun is hidden by all but the sky.
        sky: int32 (B,), the index of the sky; -1 if no class is.
        horizon: float32 (B,), a row.
        glare: float32 (B, 7): the sun's column as a share of the width, its row as a share of the horizon's, its
            radius as a share of the height, the light's red, green and blue, 0 to 1, and the strength, 0 to 1.
    """
    _, height, width, _ = images.shape
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(height)
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height)
    x = x - glare[:, 0:1] * np.float32(width / height)
    y = y - glare[:, 1:2] * horizon[:, None] / height
    radius = glare[:, 2, None, None]
    distance = (x[:, None] ** 2 + y[:, :, None] ** 2) / radius**2
    disc = ops.exp(-0.5 * distance) * ops.cast(_is_sky(labels, sky), "float32")
    bloom = 1.2 * disc + 0.5 / (1 + distance / 6) + 0.35 / (1 + distance / 60) + 0.12
    light, strength = glare[:, None, None, 3:6], glare[:, None, None, 6:]
    warm = images * (1 - 0.5 * strength * (1 - light))
    return warm + ops.minimum(bloom[..., None] * strength, 1) * light**0.5 * (255 - warm)


def upsample(field, size):
    """Return a coarse field (B, h, w) drawn out bilinearly to (B, *size)."""
    return ops.image.resize(field[..., None], size, interpolation="bilinear", data_format="channels_last")[..., 0]


def _below(horizon, height):
    """Return float32 (B, height): how far each row's centre lies below the horizon, in heights of the picture."""
    return (np.arange(height, dtype=np.float32) + np.float32(0.5) - horizon[:, None]) / height


def _is_sky(labels, sky):
    return ops.cast(labels, "int32") == sky[:, None, None]
