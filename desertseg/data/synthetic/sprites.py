"""Sprites: pictures of one object with hard edges, kept in several sizes and stamped onto the canvas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Sprite:
    """One object seen from the side, standing on the bottom row.

    `levels` holds (pixels, alpha), each half the size of the one before: pixels uint8 (h, w, 4) = RGB and class index,
    alpha uint8 (h, w), 0 or 255. Colour is defined under transparent pixels too, so that resizing makes no fringe, and
    the class plane is constant, so that interpolating it changes nothing.
    """

    levels: tuple[tuple[np.ndarray, np.ndarray], ...]
    aspect: float  # width / height

    def pick(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (pixels, alpha) at the asked size, made from the smallest level that is not smaller."""
        level = self.levels[0]
        for smaller in self.levels[1:]:
            if smaller[1].shape[0] < height:
                break
            level = smaller
        pixels, alpha = level
        if alpha.shape != (height, width):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
            alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR))
            alpha = np.asarray(cv2.threshold(alpha, 110, 255, cv2.THRESH_BINARY)[1])
        return pixels, alpha


def make_sprite(drawing: np.ndarray, index: int) -> Sprite:
    """Return a sprite of class `index` from an RGBA drawing, cropped to what is drawn."""
    drawn = drawing[..., 3] > 127
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    canvas: np.ndarray = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    drawn = canvas[..., 3] > 127
    canvas[~drawn, :3] = canvas[drawn, :3].mean(0)
    canvas[..., 3] = index
    alpha = drawn.astype(np.uint8) * 255
    levels = [(canvas, alpha)]
    share = drawn.mean()
    soft: np.ndarray = alpha
    while min(soft.shape) >= 8:
        size = (soft.shape[1] // 2, soft.shape[0] // 2)
        soft = cv2.resize(soft, size, interpolation=cv2.INTER_AREA)
        canvas = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        # Thin twigs would vanish under a fixed threshold: keep the share of covered pixels instead.
        limit = float(np.clip(np.quantile(soft, 1 - share), 1, 200))
        choices = (soft >= limit, soft > limit)
        kept = min(choices, key=lambda choice: abs(choice.mean() - share))
        levels.append((canvas, kept.astype(np.uint8) * 255))
    return Sprite(tuple(levels), drawn.shape[1] / drawn.shape[0])


def stamp(
    canvas: np.ndarray,
    sprite: Sprite,
    box: tuple[float, float, float, float],
    limits: np.ndarray,
    haze: tuple[float, ...],
    amount: float,
    light: float = 1.0,
) -> None:
    """Paint a sprite over the canvas with hard edges.

    Args:
        canvas: uint8 (H, W, 4), RGB and class index; changed in place.
        sprite: what to paint.
        box: (left, top, width, height) in pixels.
        limits: int, one for each column of the canvas: the row from which nearer ground hides the sprite.
        haze: RGB of the air in between.
        amount: share of haze, 0..1.
        light: brightness of the object, 1 on open level ground.
    """
    left, top = round(box[0]), round(box[1])
    width, height = max(1, round(box[2])), max(1, round(box[3]))
    x0, x1 = max(left, 0), min(left + width, canvas.shape[1])
    if x0 >= x1:
        return
    limits = limits[x0:x1]
    y0, y1 = max(top, 0), min(top + height, canvas.shape[0], int(limits.max()))
    if y0 >= y1:
        return
    pixels, alpha = sprite.pick(height, width)
    window = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    pixels, alpha = pixels[window], np.ascontiguousarray(alpha[window])
    if limits.min() < y1:
        alpha = np.where(np.arange(y0, y1)[:, None] < limits, alpha, np.uint8(0))
    if amount > 0.02 or abs(light - 1) > 0.02:
        pixels = _shade(pixels, haze, amount, light)
    cv2.copyTo(np.ascontiguousarray(pixels), alpha, canvas[y0:y1, x0:x1])


def _shade(pixels: np.ndarray, haze: tuple[float, ...], amount: float, light: float) -> np.ndarray:
    """Return the pixels under another light and behind haze, of the same class."""
    air = np.empty_like(pixels)
    air[:] = (*haze, 0)
    shaded = np.asarray(cv2.addWeighted(pixels, light * (1 - amount), air, amount, 0))
    shaded[..., 3] = pixels[0, 0, 3]
    return shaded


def lay_flat(
    shadow: np.ndarray, sprite: Sprite, foot: np.ndarray, along: np.ndarray, across: np.ndarray, strength: float
) -> None:
    """Darken a shadow map by a sprite's outline.

    Args:
        shadow: uint8 (h, w), changed in place.
        sprite: whose outline.
        foot: (x, y) of the middle of its lower edge, pixels.
        along: (x, y) from there to the middle of the upper edge.
        across: (x, y) from the left to the right end of an edge.
        strength: share of light that it takes.
    """
    corners = foot + np.array([across, -across, across + 2 * along, -across + 2 * along]) / 2
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, shadow.shape[::-1])
    if x0 >= x1 or y0 >= y1:
        return
    rows = max(abs(across).max() / sprite.aspect, abs(along).max())
    alpha = next((a for _, a in reversed(sprite.levels) if a.shape[0] >= rows), sprite.levels[0][1])
    height, width = alpha.shape
    start = foot - across / 2 + along - (x0, y0)
    matrix = np.column_stack([across / width, -along / height, start])
    cast = cv2.warpAffine(alpha, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    window = shadow[y0:y1, x0:x1]
    np.minimum(window, 255 - cv2.convertScaleAbs(cast, alpha=strength), out=window)
