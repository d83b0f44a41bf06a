"""The panorama behind everything: sky, sun glow, clouds and distant ranges, as far round as cameras turn."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Style
from desertseg.data.synthetic.noise import draw_noise

PANORAMA = (640, 2048)  # rows, columns
SKYLINE = 540  # row of the panorama at eye level
SCALE = (700, 1100)  # panorama pixels that one frame height, one frame width covers
_FRAME_ANGLE = 1.39  # radians of one frame width


def draw_panorama(rng: np.random.Generator, style: Style) -> tuple[np.ndarray, np.ndarray]:
    """Return the panorama as uint8 RGB and its ground as uint8 (1 where distant land stands, 0 where sky is)."""
    sky = _draw_clear_sky(style)
    _add_clouds(sky, rng, style)
    land = np.zeros(PANORAMA, np.uint8)
    _add_ranges(sky, land, rng, style)
    return np.clip(sky, 0, 255).astype(np.uint8), land


def sun_column(style: Style) -> float:
    """Return the panorama column of the sun, which may lie outside the frame's usual view."""
    right, _, ahead = style.sun
    return PANORAMA[1] / 2 + np.arctan2(right, ahead) / _FRAME_ANGLE * SCALE[1]


def _draw_clear_sky(style: Style) -> np.ndarray:
    rows = np.clip((SKYLINE - np.arange(PANORAMA[0], dtype=np.float32)) / SCALE[0], 0, 1)[:, None, None]
    blue = (1 - np.exp(-rows * 4.2)) / (1 - np.exp(-4.2 * 0.8))
    sky = np.asarray(style.horizon, np.float32) * (1 - blue) + np.asarray(style.zenith, np.float32) * blue
    sky = np.repeat(sky, PANORAMA[1], axis=1)
    x = np.arange(PANORAMA[1], dtype=np.float32) - sun_column(style)
    y = np.arange(PANORAMA[0], dtype=np.float32) - (SKYLINE - style.sun[1] * 0.8 * SCALE[0])
    distance = np.sqrt(x[None] ** 2 + 1.6 * y[:, None] ** 2)
    glow = 110 * np.exp(-distance / 240) + 220 * np.exp(-((distance / 42) ** 2))
    sky += glow[..., None] * np.asarray(style.sunlight, np.float32) ** 1.5
    return sky


def _add_clouds(sky: np.ndarray, rng: np.random.Generator, style: Style) -> None:
    body = draw_noise(rng, (1024, 1024), 8, octaves=4, gain=0.5) + 0.7 * draw_noise(rng, (1024, 1024), 4, octaves=2)
    plain = body + 0.33 * draw_noise(rng, (1024, 1024), 64, octaves=5, gain=0.6)
    limit = float(np.quantile(plain[::4, ::4], 1 - style.cloud))
    # The clouds lie on a plane overhead: equal steps in the sky are ever longer steps on it towards the horizon.
    rise = np.maximum((SKYLINE - np.arange(PANORAMA[0], dtype=np.float32)) / SCALE[0], 0.004)[:, None]
    far = 150 / (rise + 0.16)
    angle = np.linspace(0, 2048, PANORAMA[1], endpoint=False, dtype=np.float32)[None]
    row, column = np.repeat(far, PANORAMA[1], axis=1).astype(np.float32), np.repeat(angle, PANORAMA[0], axis=0)
    shift = 9.0 * float(np.sign(style.sun[0]))
    shape, own, towards = (
        cv2.remap(noise, column + np.float32(dx), row + np.float32(dy), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        for noise, dx, dy in ((plain, 0, 0), (body, 0, 0), (body, shift, -12))
    )
    density = np.clip((shape - limit) * 0.95, 0, 1)
    density = density * density * (3 - 2 * density) * np.clip(rise * 12, 0.0, 1) * 0.96
    depth = np.clip(own - limit, 0, 2)
    lit = np.clip(0.98 + 0.22 * (own - towards) - 0.11 * depth + 0.05 * (shape - own), 0.68, 1.06)[..., None]
    light = 0.35 * np.asarray(style.horizon, np.float32) + 0.65 * 245 * np.asarray(style.sunlight, np.float32) ** 0.5
    sky += density[..., None] * (lit * light - sky)


def _add_ranges(sky: np.ndarray, land: np.ndarray, rng: np.random.Generator, style: Style) -> None:
    """Paint three ranges, far to near: each nearer one lower, less hazy and more textured."""
    rows = np.arange(PANORAMA[0], dtype=np.float32)[:, None]
    horizon = np.asarray(style.horizon, np.float32)
    for depth, (height, cells) in enumerate(((64, 8), (40, 8), (20, 16))):
        ridge = draw_noise(rng, (16, PANORAMA[1]), (1, cells), octaves=7, gain=0.5)[0]
        table = np.clip(ridge * 3.2, -0.2, 1.0) + 0.06 * ridge
        ridge = (1 - style.mesa) * (0.45 + 0.38 * ridge) + style.mesa * table
        top = SKYLINE + 8 - height * np.clip(ridge, -0.1, 1.6)
        color = (
            np.asarray(style.hills[0], np.float32) * (1 - depth / 2)
            + np.asarray(style.hills[1], np.float32) * depth / 2
        )
        color = horizon * (0.24 - 0.08 * depth) + color * (0.66 + 0.08 * depth)
        texture = draw_noise(rng, (128, PANORAMA[1]), (2, 128), octaves=5, gain=0.8)
        strata = np.sin((rows - 0.6 * top[None]) * 0.35 + 1.5 * texture[:1]) * style.mesa * 0.6
        slope = np.clip(np.gradient(ridge) * 60 * np.sign(style.sun[0] or 1), -1, 1)[None]
        band = slice(SKYLINE - 110, PANORAMA[0])
        inside = rows[band] > top[None]
        shade = 1 + (0.055 + 0.03 * depth) * (np.resize(texture, PANORAMA)[band] + strata[band]) + 0.14 * slope
        fog = np.clip((rows[band] - top[None]) / (height * 1.5), 0, 0.2)[..., None]
        painted = (color * (1 - fog) + horizon * fog) * shade[..., None]
        sky[band] = np.where(inside[..., None], painted, sky[band])
        land[band] |= inside.astype(np.uint8)
    floor = slice(SKYLINE + 6, PANORAMA[0])
    land[floor] = 1
