"""Draw the geometry of a sample: flips, turn, zoom, slant, stretch and the place of the crop, as one affine map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from desertseg.data.letterbox import Box, check_resize

if TYPE_CHECKING:
    from desertseg.data.augmentation import Augmentation

# The first number of a generator's seed is its stream: 0 and 7 in sampling.py, 8 to 10 in mixing.py, from 20 on in
# photometric.py, so that no two effects share their draws.
_PLACE, _VERTICAL_FLIP, _ROTATE, _SHEAR, _ASPECT, _RARE_CROP = 1, 2, 3, 4, 5, 6


def draw_affine(
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    sample: int,
    size: tuple[int, int],
    box: Box,
    *,
    resize: str = "letterbox",
    points: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Return the map from a training picture to the load canvas, float32 (2, 3).

    It maps the centre of an output pixel to the load canvas, in pixels with the centre of pixel (0, 0) at (0, 0):
    [x_in, y_in] = affine @ [x_out, y_out, 1]. The frame is mirrored, zoomed and stretched, slanted and turned, in this
    order. Along an axis of the frame where the picture fits into the scaled frame, it lies inside; along an axis of the
    picture where the frame fits into it, the frame lies inside; the place is uniform, or nearest to a rare pixel.

    Args:
        augmentation: probabilities and ranges.
        seed, epoch, sample: what the draw depends on.
        size: training size (height, width).
        box: where in the canvas the frame lies.
        resize: what scale 1.0 means, "letterbox" or "stretch".
        points: for each rare class that the frame has, float (K, 2) places (y, x) in [0, 1) of its pixels.
    """
    number = (seed, epoch, sample)
    random = np.random.default_rng((_PLACE, *number))
    flipped = random.random() < augmentation.flip
    scale = _log_uniform(random, augmentation.scale)
    place = random.random(2)[::-1]  # the generator gives y first
    upended = bool(augmentation.vertical_flip) and _stream(_VERTICAL_FLIP, number).random() < augmentation.vertical_flip

    source, target = np.array([box.width, box.height], float), np.array([size[1], size[0]], float)
    fit = target / source
    if check_resize(resize) == "letterbox":
        fit[:] = fit.min()
    zoom = scale * fit * _draw_aspect(augmentation, number)
    turn = _draw_turn(augmentation, number)
    mirrored = np.array([flipped, upended])
    point = _draw_point(augmentation, number, points)
    if point is not None:
        point = np.where(mirrored, 1 - point, point) * source
    if turn is None:
        linear, first = _place_upright(source, target, zoom, place, point)
    else:
        linear, first = _place_turned(source, target, turn / zoom[:, None], place, point)
    linear[mirrored] *= -1
    first = np.where(mirrored, source - 1 - first, first)
    affine = np.column_stack([linear, first + np.array([box.left, box.top])])
    return (affine + 0.0).astype(np.float32)  # plus zero, because a mirrored 0 is a -0


def _stream(stream: int, number: tuple[int, int, int]) -> np.random.Generator:
    return np.random.default_rng((stream, *number))


def _log_uniform(random: np.random.Generator, bounds: tuple[float, float]) -> float:
    return math.exp(random.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _draw_aspect(augmentation: Augmentation, number: tuple[int, int, int]) -> np.ndarray:
    """Return the factors on width and height, (2,)."""
    if augmentation.aspect == (1.0, 1.0):
        return np.ones(2)
    factor = math.sqrt(_log_uniform(_stream(_ASPECT, number), augmentation.aspect))
    return np.array([factor, 1 / factor])


def _draw_turn(augmentation: Augmentation, number: tuple[int, int, int]) -> np.ndarray | None:
    """Return the matrix (2, 2) from offsets in the picture to offsets in the scaled frame; None if nothing turns."""
    if not augmentation.rotate and not augmentation.shear:
        return None
    angle = math.radians(_stream(_ROTATE, number).uniform(-augmentation.rotate, augmentation.rotate))
    slant = math.tan(math.radians(_stream(_SHEAR, number).uniform(-augmentation.shear, augmentation.shear)))
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[1, -slant], [0, 1]]) @ np.array([[cosine, sine], [-sine, cosine]])


def _draw_point(
    augmentation: Augmentation, number: tuple[int, int, int], points: Sequence[np.ndarray]
) -> np.ndarray | None:
    """Return (x, y) in [0, 1) of the pixel that the crop is to be centred on; None if its place is free."""
    if not augmentation.rare_crop or not points:
        return None
    random = _stream(_RARE_CROP, number)
    if random.random() >= augmentation.rare_crop:
        return None
    chosen = points[int(random.integers(len(points)))]
    return chosen[random.integers(len(chosen))][::-1].astype(float)


def _place_upright(
    source: np.ndarray, target: np.ndarray, zoom: np.ndarray, place: np.ndarray, point: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear part in source pixels a target pixel, and where the first target pixel's centre lies."""
    if point is not None:
        place = _aim(place, point, target / zoom, source)
    offset = place * (target - source * zoom)  # of the frame's edge from the target's, in target pixels
    return np.diag(1 / zoom), (0.5 - offset) / zoom - 0.5


def _place_turned(
    source: np.ndarray, target: np.ndarray, linear: np.ndarray, place: np.ndarray, point: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for a turned frame; in the limit of no turn they agree."""
    extent = abs(linear) @ target  # of the target in the source
    if point is not None:
        place = _aim(place, point, extent, source)
    slack = np.maximum(target - abs(np.linalg.inv(linear)) @ source, 0)  # around the source in the target
    fits = extent <= source
    centre = np.where(fits, extent / 2 + place * (source - extent), source / 2) - linear @ ((place - 0.5) * slack)
    centre = np.where(fits, np.clip(centre, extent / 2, np.maximum(source - extent / 2, extent / 2)), centre)
    return linear, centre - 0.5 - linear @ ((target - 1) / 2)


def _aim(place: np.ndarray, point: np.ndarray, extent: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return the place at which the target is centred on the point as well as the frame allows."""
    free = source - extent
    return np.where(free > 0, np.clip((point - extent / 2) / np.where(free > 0, free, 1), 0, 1), place)
