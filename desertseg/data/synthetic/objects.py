"""Drawings of what lies on the ground: rocks, outcrops, logs, debris and the tile of loose stones."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Style
from desertseg.data.synthetic.noise import draw_noise
from desertseg.data.synthetic.plants import mix_colors, scale_color

STONE_TILE = 1024  # pixels of the tile of loose stones


def draw_rock(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a boulder: a convex body of random flat faces, each lit by how it faces the sun."""
    height, width = 148, 230
    y, x = np.mgrid[0.95 : -0.4 : height * 1j, -1.05 : 1.05 : width * 1j].astype(np.float32)
    rough = draw_noise(rng, (256, 256), 8, octaves=5, gain=0.75)[:height, :width]
    fine = draw_noise(rng, (256, 256), 32, octaves=4, gain=0.9)[:height, :width]
    rim = np.linspace(0, 2 * np.pi, 11, endpoint=False) + rng.normal(0, 0.22, 11)
    turn, lean = (
        np.append(rim, rng.uniform(0, 2 * np.pi, 9)),
        np.append(rng.uniform(0.1, 0.3, 11), rng.uniform(0.45, 0.95, 9)),
    )
    side = np.sqrt(1 - lean**2)
    normals = np.stack([side * np.cos(turn), side * np.sin(turn), lean], 1).astype(np.float32)
    reach = rng.uniform(0.66, 0.92, len(normals)).astype(np.float32)[:, None, None]
    reach[normals[:, 1] < -0.15] += 0.8  # the foot stays broad: the rock goes on under the sand
    nx, ny, nz = (normals[:, i, None, None] for i in range(3))
    depths = (reach - nx * x - ny * y / 0.8) / nz + 0.02 * rough
    face = depths.argmin(0)
    right, up, ahead = style.sun
    lit = np.clip(normals @ np.array([right, up, -ahead], np.float32), 0, 1)[face]
    tone = 0.16 + 0.62 * lit + 0.13 * normals[:, 1][face] + 0.045 * rough + 0.05 * fine
    first, second = np.partition(depths, 1, axis=0)[:2]
    tone += 0.10 * (second - first < 0.03) - 0.22 * np.clip(-0.05 - y, 0, 1)
    body = (first > 0) & (y > -0.3 + 0.03 * rough)
    return np.dstack([_shade(style, tone), body.astype(np.uint8) * 255])


def _shade(style: Style, tone: np.ndarray) -> np.ndarray:
    """Return uint8 RGB of stone at a tone of 0 (dark) to 1 (bright)."""
    low, high = (np.asarray(c, np.float32) for c in style.stone)
    return np.clip(low + (high - low) * np.clip(tone, 0, 1.15)[..., None], 0, 255).astype(np.uint8)


def draw_outcrop(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a sandstone butte: terraced cliffs of level beds, cut by upright cracks, on a skirt of scree."""
    height, width = 220, 400
    y, x = np.mgrid[1 : 0 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ridge = draw_noise(rng, (32, 512), (1, 8), octaves=6, gain=0.52)[0, :width][None]
    cracks = draw_noise(rng, (256, 512), (2, 64), octaves=4, gain=0.75)[:height, :width]
    rough = draw_noise(rng, (256, 512), (16, 32), octaves=5, gain=0.8)[:height, :width]
    wide, steep = rng.uniform(0.45, 1.0), rng.uniform(1.3, 4.0)
    x = x / np.float32(wide)
    rise = np.clip((0.93 - np.abs(x[:1])) * steep + 0.2 * ridge + rng.uniform(-0.3, 0.3) * x[:1], 0, 1)
    steps = int(rng.integers(2, 4))
    part = rise * steps
    terrace = (np.floor(part) + np.clip((part % 1) * 4, 0, 1) ** 0.7) / steps
    top = np.clip(0.12 + 0.82 * terrace + 0.025 * ridge, 0.02, 0.99) * np.clip((1 - np.abs(x[:1])) * 5, 0, 1)
    below = top - y
    beds = np.interp(y + 0.012 * rough, np.linspace(-0.1, 1.1, 34), rng.normal(0, 0.13, 34))
    right, up, ahead = style.sun
    slope = -np.gradient(cv2.GaussianBlur(top.astype(np.float32), (0, 0), 7)[0])[None] * 22 * right
    tone = 0.42 + 0.16 * up - 0.16 * ahead + beds + 0.09 * cracks + 0.05 * rough + np.clip(slope, -0.25, 0.25)
    tone += 0.22 * (below < 0.025) - 0.12 * ((below > 0.03) & (below < 0.10))
    scree = y < 0.16 + 0.05 * ridge + 0.02 * rough
    tone = np.where(scree, 0.5 + 0.16 * up + 0.10 * rough, tone)
    return np.dstack([_shade(style, tone), (below > 0).astype(np.uint8) * 255])


def draw_log(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a fallen trunk with bark lines, a broken branch and a pale cut end."""
    height, width = 90, 300
    canvas = np.zeros((height, width, 4), np.uint8)
    colors = (scale_color(style.twig[0], 0.8), scale_color(style.twig[1], 1.15))
    tilt, thick = rng.uniform(-14, 14), rng.uniform(15, 21)
    x = np.linspace(25, width - 25, 24)
    spine = height - 28 + tilt * (x - width / 2) / width + 3 * np.sin(x / 40 + rng.uniform(0, 6))
    half = thick * np.linspace(1, 0.6, len(x)) + rng.normal(0, 0.8, len(x))
    stub = int(rng.integers(6, 17))
    cv2.line(canvas, (int(x[stub]), int(spine[stub])), (int(x[stub] + 24), 4), mix_colors(colors, 0.3), 9)
    for share in np.linspace(1, -1, 9):
        tone = float(np.clip(0.45 + 0.45 * share * style.sun[1] + rng.normal(0, 0.06), 0, 1))
        line = np.stack([x, spine - half * share * 0.9], 1).astype(np.int32)
        cv2.polylines(canvas, [line], False, mix_colors(colors, tone), 6)
    for _ in range(26):
        start, share = int(rng.integers(0, 18)), rng.uniform(-0.8, 0.8)
        part = slice(start, start + int(rng.integers(3, 6)))
        line = np.stack([x[part], spine[part] - half[part] * share], 1).astype(np.int32)
        cv2.polylines(canvas, [line], False, mix_colors(colors, float(rng.uniform(0, 0.3))), 1)
    cv2.ellipse(canvas, (25, int(spine[0])), (7, int(half[0])), 0, 0, 360, mix_colors(colors, 1.0), -1)
    cv2.ellipse(canvas, (25, int(spine[0])), (3, int(half[0] * 0.5)), 0, 0, 360, mix_colors(colors, 0.6), 1)
    return canvas


def draw_debris(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a small heap of stones and sticks."""
    height, width = 60, 140
    canvas = np.zeros((height, width, 4), np.uint8)
    for _ in range(int(rng.integers(6, 11))):
        size = rng.uniform(6, 14)
        at = np.array([rng.normal(width / 2, 26), height - 3 - size * 0.6])
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        ring = at + size * np.stack([np.cos(angles) * 1.3, np.sin(angles) * 0.8], 1)
        ring[:, 1] = np.minimum(ring[:, 1], height - 1)
        cv2.fillPoly(canvas, [ring.astype(np.int32)], mix_colors(style.stone, float(rng.uniform(0.1, 0.35))))
        light = at + np.array([style.sun[0], -style.sun[1]]) * size * 0.25
        cv2.fillPoly(
            canvas, [(light + (ring - at) * 0.7).astype(np.int32)], mix_colors(style.stone, float(rng.uniform(0.6, 1)))
        )
    for _ in range(6):
        at, turn = rng.normal((width / 2, height - 12), (28, 5)), rng.normal(0, 0.5)
        reach = rng.uniform(12, 30) * np.array([np.cos(turn), np.sin(turn)])
        ends = [(int(p[0]), int(np.clip(p[1], 0, height - 1))) for p in (at - reach, at + reach)]
        cv2.line(canvas, ends[0], ends[1], mix_colors(style.twig, float(rng.uniform(0.2, 1))), 2)
    return canvas


def draw_stone_tile(rng: np.random.Generator) -> np.ndarray:
    """Return a periodic uint8 tile of loose stones seen from above: 0 between them, else a stone's tone 80..255."""
    size = STONE_TILE
    tile = np.zeros((size, size), np.uint8)
    for radius in np.sort(rng.gamma(1.5, 3.2, 1700) + 3)[::-1]:
        at = rng.integers(0, size, 2)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        ring = at + radius * rng.uniform(0.8, 1.1, (9, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                if -40 < at[0] + dx < size + 40 and -40 < at[1] + dy < size + 40:
                    cv2.fillPoly(tile, [np.add(ring, (dx, dy)).astype(np.int32)], int(rng.integers(80, 256)))
    return tile
