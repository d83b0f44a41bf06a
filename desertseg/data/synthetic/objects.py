"""Drawings of what lies on the ground: rocks, outcrops, logs, debris and the tile of loose stones."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Style
from desertseg.data.synthetic.noise import draw_noise
from desertseg.data.synthetic.plants import mix_colors, scale_color

STONE_TILE = 1024  # pixels of the tile of loose stones


def draw_rock(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a boulder of flat facets around one or two peaks, brighter towards the sun."""
    height, width = 150, 230
    canvas = np.zeros((height, width, 4), np.uint8)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 4) * 0.25 + np.arange(4) * np.pi / 2)
    angles = np.sort(np.concatenate([angles, rng.uniform(0, 2 * np.pi, 7)]))
    radius = rng.uniform(0.72, 1, len(angles))
    outline = np.stack(
        [width / 2 + width * 0.47 * radius * np.cos(angles), height * 0.62 - height * 0.58 * radius * np.sin(angles)], 1
    )
    outline[:, 1] = np.minimum(outline[:, 1], height - 1 - rng.uniform(0, 5, len(angles)))
    peak = np.array([width * rng.uniform(0.38, 0.62), height * rng.uniform(0.3, 0.5)])
    inner = peak + (outline - peak) * rng.uniform(0.35, 0.62, (len(angles), 1))
    sun = np.array([style.sun[0], -style.sun[1]])
    for i in range(len(outline)):
        j = (i + 1) % len(outline)
        for points, slope in (([outline[i], outline[j], inner[j], inner[i]], 1.0), ([inner[i], inner[j], peak], 0.45)):
            middle = np.mean(points, axis=0) - peak
            facing = float(middle @ sun) / (np.linalg.norm(middle) + 1e-6)
            tone = 0.48 + 0.4 * slope * facing - 0.14 * style.sun[2] + rng.normal(0, 0.06) + 0.15 * style.sun[1]
            cv2.fillPoly(canvas, [np.array(points, np.int32)], mix_colors(style.stone, float(np.clip(tone, 0.02, 1.1))))
    _roughen(canvas, rng, 11)
    return canvas


def draw_outcrop(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a stepped sandstone butte with level beds and upright cracks."""
    height, width = 220, 360
    canvas = np.zeros((height, width, 4), np.uint8)
    ridge = draw_noise(rng, (32, 512), (1, 8), octaves=6, gain=0.6)[0, :width]
    steps = np.round((0.62 + 0.22 * ridge) * 5) / 5
    window = np.clip(np.minimum(np.arange(width), width - 1 - np.arange(width)) / (width * 0.22), 0, 1)
    top = height * (
        1 - np.clip(steps * 0.75 + 0.05 * ridge, 0.15, 1) * (0.25 + 0.75 * np.round(window * 4) / 4) * window**0.2
    )
    rows, _ = np.mgrid[:height, :width]
    beds = np.interp(
        rows + 3 * ridge[None], np.arange(0, height + 40, 9), rng.normal(0, 0.16, len(range(0, height + 40, 9)))
    )
    cracks = draw_noise(rng, (256, 512), (2, 64), octaves=4, gain=0.7)[:height, :width]
    side = np.gradient(cv2.GaussianBlur(top.astype(np.float32)[None], (0, 0), 4)[0])[None] * np.sign(style.sun[0])
    tone = 0.42 + beds + 0.10 * cracks + 0.35 * np.clip(side, -1, 1) + 0.12 * style.sun[1] - 0.2 * style.sun[2]
    tone = np.clip(tone + 0.35 * (rows - top[None] < 4), 0, 1.1)[..., None]
    canvas[..., :3] = np.clip(np.asarray(style.stone[0]) * (1 - tone) + np.asarray(style.stone[1]) * tone, 0, 255)
    canvas[..., 3] = (rows >= top[None]) * 255
    return canvas


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
    for radius in np.sort(rng.gamma(2.2, 3.0, 1500) + 4)[::-1]:
        at = rng.integers(0, size, 2)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        ring = at + radius * rng.uniform(0.75, 1.1, (7, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                if -40 < at[0] + dx < size + 40 and -40 < at[1] + dy < size + 40:
                    cv2.fillPoly(tile, [np.add(ring, (dx, dy)).astype(np.int32)], int(rng.integers(80, 256)))
    return tile


def _roughen(canvas: np.ndarray, rng: np.random.Generator, strength: float) -> None:
    height, width = canvas.shape[:2]
    grain = draw_noise(rng, (256, 256), 8, octaves=5, gain=0.8)[:height, :width]
    canvas[..., :3] = np.clip(canvas[..., :3] + strength * grain[..., None], 0, 255)
