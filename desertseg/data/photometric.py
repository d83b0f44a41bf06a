"""Draw the photometric effects of each sample on the host, as a few numbers that the compiled step applies.

Every effect draws from a stream of its own of (seed, epoch, sample): switching one on changes no other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from desertseg.data import desert_light
from desertseg.labels import LabelMap

if TYPE_CHECKING:
    from desertseg.data.augmentation import Augmentation

_STREAMS = {"color": 20, "blur": 21, "noise": 22, "clahe": 23, "shadow": 24, "haze": 25, "glare": 26, "tint": 27}
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_GRAY = 127.5
_NEUTRAL = (1.0, 1.0)


def draw_photometric(
    augmentation: Augmentation,
    labels: LabelMap | None,
    seed: int,
    epoch: int,
    sample: int,
    size: tuple[int, int],
) -> dict[str, np.ndarray]:
    """Return one sample's photometric parameters: the keys of every effect that the augmentation enables.

    A sample that an effect does not touch gets that effect's parameters at strength 0.

    Args:
        augmentation: probabilities and ranges.
        labels: the label map; its class named Sky, in any case, is not ground, and plants keep most of their colour.
            None, or a map without such a class: everything is ground.
        seed, epoch, sample: what the draw depends on.
        size: training size (height, width).

    Returns:
        "color" float32 (3, 4): contrast about mid grey, then brightness, saturation and hue as one matrix
            rgb' = color[:, :3] @ rgb + color[:, 3], for rgb in [0, 255];
        "gamma" float32 (): exponent;
        "blur" float32 (R + 1,): half a Gaussian kernel, the centre first, R that of the widest blur in the range;
        "noise" float32 (): standard deviation, and "noise_offset" int32 (2,) into the constant tile;
        "clahe" float32 (): clip limit, 0 for none;
        "shadow" float32 (4,), "shadow_field", "haze" float32 (6,), "haze_field", "glare" float32 (7,), "tint" float32
            (4,), "tint_weights" float32 (256,), "sky" int32 (): see `desertseg.augment.desert_light`, which applies
            them.
    """
    a = augmentation
    drawn: dict[str, Any] = {}

    def begin(effect: str, probability: float) -> tuple[np.random.Generator, bool]:
        random = np.random.default_rng((_STREAMS[effect], seed, epoch, sample))
        return random, bool(random.random() < probability)

    neutral = a.brightness == a.contrast == a.saturation == _NEUTRAL and a.hue == 0
    if a.color and not (neutral and a.gamma == _NEUTRAL):
        random, acts = begin("color", a.color)
        matrix, gamma = _draw_color(random, a)
        if not neutral:
            drawn["color"] = np.float32(matrix if acts else np.eye(3, 4))
        if a.gamma != _NEUTRAL:
            drawn["gamma"] = np.float32(gamma if acts else 1)
    if a.blur:
        random, acts = begin("blur", a.blur)
        radius = max(1, min(math.ceil(3 * a.blur_sigma[1]), size[0] // 2, size[1] // 2))
        drawn["blur"] = _half_kernel(random.uniform(*a.blur_sigma) if acts else 0, radius)
    if a.noise:
        random, acts = begin("noise", a.noise)
        drawn["noise_offset"] = random.integers(0, 1 << 16, 2, np.int32)
        drawn["noise"] = np.float32(random.uniform(*a.noise_std) * acts)
    if a.clahe:
        random, acts = begin("clahe", a.clahe)
        drawn["clahe"] = np.float32(random.uniform(*a.clahe_clip) * acts)
    if a.shadow:
        random, acts = begin("shadow", a.shadow)
        drawn |= desert_light.draw_shadow(random, random.uniform(*a.shadow_strength) * acts, size)
    if a.haze:
        random, acts = begin("haze", a.haze)
        drawn |= desert_light.draw_haze(random, random.uniform(*a.haze_strength) * acts, size)
    if a.glare:
        random, acts = begin("glare", a.glare)
        drawn |= desert_light.draw_glare(random, random.uniform(*a.glare_strength) * acts)
    if a.tint:
        random, acts = begin("tint", a.tint)
        drawn |= desert_light.draw_tint(random, random.uniform(*a.tint_strength) * acts, labels)
    if max(a.shadow, a.haze, a.glare):
        drawn["sky"] = np.int32(desert_light.find_sky(labels))
    return {key: np.asarray(value) for key, value in drawn.items()}


def compose_color(brightness: float, contrast: float, saturation: float, hue: float) -> np.ndarray:
    """Return float64 (3, 4): contrast, then brightness, saturation and hue as one matrix for rgb in [0, 255].

    Contrast works about mid grey, not about the picture's mean, which only the device could know; and first, so that
    in a darkened picture black is lifted less. Saturation and hue keep the luminance; the hue is turned in the plane of
    the colour differences.

    Args:
        brightness: factor on all channels.
        contrast: factor on their distance from mid grey.
        saturation: factor on the colour differences, 0 for a grey picture.
        hue: turn of the colour differences, in degrees.
    """
    turn = math.radians(hue)
    differences = np.eye(3) - _LUMA  # colour differences; _LUMA broadcasts to three equal rows
    # A quarter turn of the plane in which the luminance is constant.
    axis = np.ones(3) / math.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned = differences @ (math.cos(turn) * np.eye(3) + math.sin(turn) * cross)
    turned = differences @ turned @ differences
    color = np.ones((3, 1)) * _LUMA + saturation * turned
    return np.hstack([color * (brightness * contrast), color @ np.full((3, 1), brightness * _GRAY * (1 - contrast))])


def _draw_color(random: np.random.Generator, a: Augmentation) -> tuple[np.ndarray, float]:
    brightness, contrast, saturation = (random.uniform(*r) for r in (a.brightness, a.contrast, a.saturation))
    hue = random.uniform(-a.hue, a.hue)
    gamma = math.exp(random.uniform(math.log(a.gamma[0]), math.log(a.gamma[1])))
    return compose_color(brightness, contrast, saturation, hue), gamma


def _half_kernel(sigma: float, radius: int) -> np.ndarray:
    """Return float32 (radius + 1,): a Gaussian's weights from the centre on, which sum to 1 over both sides."""
    weights = np.zeros(radius + 1)
    weights[0] = 1
    if sigma:
        weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    return (weights / (2 * weights.sum() - weights[0])).astype(np.float32)
