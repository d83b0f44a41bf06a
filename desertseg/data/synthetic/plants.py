"""Drawings of plants. Each function returns an RGBA canvas, lit from the scene's sun, standing on the bottom row."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Color, Style

Pair = tuple[Color, Color]


def _blank(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 4), np.uint8)


def mix_colors(pair: Pair, amount: float) -> tuple[int, int, int, int]:
    """Return the colour between a pair's dark (0) and bright (1) end as opaque RGBA."""
    red, green, blue = (int(min(max(a + (b - a) * amount, 0), 255)) for a, b in zip(*pair, strict=True))
    return red, green, blue, 255


def scale_color(color: Color, factor: float) -> Color:
    """Return the colour `factor` times as bright, at most 255."""
    red, green, blue = (min(255.0, factor * c) for c in color)
    return red, green, blue


def _light(style: Style, nx: np.ndarray, ny: np.ndarray) -> np.ndarray:
    """Return 0..1: how much sun falls on a surface that faces right (nx) and up (ny); backlit bodies stay darker."""
    right, up, ahead = style.sun
    facing = nx * right + ny * up - 0.25 * ahead
    return np.clip(0.42 + 0.55 * facing, 0, 1)


def draw_grass(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a tuft: blades that bend outwards, dark below and bright at the tips."""
    height, width = 190, 260
    canvas = _blank(height, width)
    blades = int(rng.integers(170, 260))
    angle, radius = rng.uniform(0, 2 * np.pi, blades), np.sqrt(rng.random(blades))
    roots = width * (0.5 + 0.3 * radius * np.cos(angle))
    feet = height - 18 + 16 * radius * np.sin(angle)
    for i in np.argsort(feet):
        side = (roots[i] - width / 2) / (width / 2)
        reach = rng.uniform(0.3, 1) ** 0.8 * (1 - 0.55 * abs(side)) * height * 0.82
        lean = side * 50 + rng.normal(0, 15)
        t = np.linspace(0, 1, 6)[:, None]
        curve = np.hstack([roots[i] + lean * t**2, feet[i] - reach * t * (1 - 0.15 * t)]).astype(np.int32)
        tone = rng.uniform(0.05, 0.8)
        cv2.polylines(canvas, [curve[:4]], False, mix_colors(style.grass, tone * 0.55), 2)
        cv2.polylines(canvas, [curve[3:]], False, mix_colors(style.grass, tone + 0.3 * style.sun[1]), 1)
    return canvas


def draw_leaves(
    canvas: np.ndarray, rng: np.random.Generator, style: Style, colors: Pair, blobs: np.ndarray, count: int, leaf: int
) -> None:
    """Fill round blobs (x, y, rx, ry) with strokes that point outwards, the shaded ones first."""
    which = rng.choice(len(blobs), count, p=blobs[:, 2] * blobs[:, 3] / (blobs[:, 2] * blobs[:, 3]).sum())
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    nx, ny = np.cos(angle) * radius, np.sin(angle) * radius
    x, y = blobs[which, 0] + nx * blobs[which, 2], blobs[which, 1] - ny * blobs[which, 3]
    middle, spread = blobs[:, 1].mean(), np.ptp(blobs[:, 1]) + blobs[:, 3].mean()
    tone = _light(style, nx, ny) * 0.75 + 0.25 * np.clip((middle - y) / spread + 0.5, 0, 1) + rng.normal(0, 0.1, count)
    turn = angle + rng.normal(0, 0.7, count)
    long = leaf * rng.uniform(0.6, 1.7, count)
    ends = np.stack([x + np.cos(turn) * long, np.minimum(y - np.sin(turn) * long, canvas.shape[0] - 1)], 1)
    for i in np.argsort(tone + 0.6 * rng.random(count)):
        thick = 2 if leaf < 6 else 3
        start, end = (int(x[i]), int(y[i])), (int(ends[i, 0]), int(ends[i, 1]))
        cv2.line(canvas, start, end, mix_colors(colors, float(tone[i])), thick)


def _round_blobs(rng: np.random.Generator, height: int, width: int, number: int, low: float) -> np.ndarray:
    x = width * (0.5 + rng.uniform(-0.28, 0.28, number))
    y = height * rng.uniform(0.3, low, number)
    rx = width * rng.uniform(0.13, 0.22, number)
    return np.stack([x, y, rx, rx * height / width * rng.uniform(0.9, 1.2, number)], 1)


def draw_lush(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a round leafy bush."""
    height, width = 240, 290
    canvas = _blank(height, width)
    blobs = _round_blobs(rng, height, width, 7, 0.8)
    base = np.array([[width / 2, height * 0.72, width * 0.32, height * 0.26]])
    draw_leaves(canvas, rng, style, style.leaf, np.vstack([blobs, base]), 2000, 6)
    return canvas


def _draw_stem(
    canvas: np.ndarray, rng: np.random.Generator, colors: Pair, at: np.ndarray, angle: float, length: float, depth: int
) -> None:
    end = at + length * np.array([np.cos(angle), -np.sin(angle)])
    tone = float(np.clip(rng.normal(0.45, 0.22) + 0.1 * np.cos(angle), 0, 1))
    color = mix_colors(colors, tone)
    cv2.line(canvas, tuple(int(v) for v in at), tuple(int(v) for v in end), color, max(1, depth))
    if depth > 0:
        for _ in range(3 if depth > 1 else 2):
            _draw_stem(
                canvas, rng, colors, end, angle + rng.normal(0, 0.42), length * rng.uniform(0.5, 0.85), depth - 1
            )


def draw_dry(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a leafless bush: grey-brown twigs that fan out from the root."""
    height, width = 170, 220
    canvas = _blank(height, width)
    for angle in rng.permutation(np.linspace(0.35, np.pi - 0.35, 13)):
        root = np.array([width / 2 + rng.normal(0, 7), height - 2])
        _draw_stem(
            canvas, rng, style.twig, root, float(angle + rng.normal(0, 0.1)), height * rng.uniform(0.25, 0.38), 3
        )
    return canvas


def draw_flowers(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a flowering bush: soft green strokes with coloured heads on the upper side."""
    height, width = 190, 290
    canvas = _blank(height, width)
    blobs = np.vstack(
        [_round_blobs(rng, height, width, 6, 0.8), [[width / 2, height * 0.75, width * 0.34, height * 0.22]]]
    )
    green = (style.leaf[0], mix_colors((style.leaf[1], style.grass[1]), 0.4)[:3])
    draw_leaves(canvas, rng, style, green, blobs, 1000, 6)
    petals = style.flower[int(rng.integers(len(style.flower)))]
    for _ in range(190):
        blob = blobs[rng.integers(len(blobs))]
        angle, radius = rng.uniform(-0.4, np.pi + 0.4), np.sqrt(rng.random())
        at = blob[0] + np.cos(angle) * radius * blob[2] * 1.05, blob[1] - np.sin(angle) * radius * blob[3] * 1.1
        tone = rng.uniform(0.55, 1.05) * (0.75 + 0.3 * np.sin(angle))
        color = (*(int(min(255, c * tone)) for c in petals), 255)
        cv2.circle(canvas, (int(at[0]), int(at[1])), int(rng.integers(2, 5)), color, -1)
    return canvas


def _draw_spikes(
    canvas: np.ndarray,
    rng: np.random.Generator,
    style: Style,
    path: tuple[np.ndarray, np.ndarray],
    reach: float,
    count: int,
) -> None:
    """Clothe a branch from path[0] to path[1] in needles, lit on the sun's side."""
    along = rng.random(count)[:, None]
    at = path[0] * (1 - along) + path[1] * along
    angle = rng.uniform(0, 2 * np.pi, count)
    tone = _light(style, np.cos(angle), np.sin(angle)) + rng.normal(0, 0.08, count) - 0.05
    ends = at + (reach * rng.uniform(0.6, 1.2, count) * np.stack([np.cos(angle), -np.sin(angle)])).T
    for i in np.argsort(tone):
        start, end = tuple(int(v) for v in at[i]), tuple(int(v) for v in ends[i])
        cv2.line(canvas, start, end, mix_colors(style.leaf, float(tone[i]) * 0.9), 1 + i % 2)


def draw_joshua(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a joshua tree: a forked trunk whose arms end in spiky heads."""
    height, width = 380, 380
    canvas = _blank(height, width)
    bark = (style.twig[0], style.twig[1])
    todo = [(np.array([width / 2, height - 1.0]), np.pi / 2 + rng.normal(0, 0.06), height * rng.uniform(0.22, 0.34), 0)]
    heads = []
    while todo:
        at, angle, length, depth = todo.pop(0)
        end = at + length * np.array([np.cos(angle), -np.sin(angle)])
        thick = max(6, int(22 - 5 * depth))
        for shift, tone in ((0, 0.1), (int(np.sign(style.sun[0]) * thick * 0.22), 0.55)):
            points = [(int(p[0]) + shift, int(p[1])) for p in (at, end)]
            cv2.line(canvas, points[0], points[1], mix_colors(bark, tone), max(2, thick - 2 * abs(shift)))
        if depth:
            heads.append((at * 0.55 + end * 0.45, end))
        if depth < 3 and (depth == 0 or rng.random() < 0.86):
            for turn in rng.permutation([-0.62, 0.02, 0.62])[: 3 if depth == 0 or rng.random() < 0.4 else 2]:
                bend = angle + turn + rng.normal(0, 0.18)
                bend += 0.25 * (np.pi / 2 - bend)
                todo.append((end, bend, length * rng.uniform(0.55, 0.9), depth + 1))
    for path in sorted(heads, key=lambda p: p[1][1]):
        _draw_spikes(canvas, rng, style, path, 24, 170)
    return canvas


def draw_round(rng: np.random.Generator, style: Style) -> np.ndarray:
    """Draw a short-trunked tree with a dense round crown."""
    height, width = 330, 360
    canvas = _blank(height, width)
    for _ in range(4):
        foot, top = (
            (int(width / 2 + rng.normal(0, 4)), height - 1),
            (int(width * rng.uniform(0.3, 0.7)), int(height * 0.45)),
        )
        cv2.line(canvas, foot, top, mix_colors(style.twig, 0.2), 9)
        cv2.line(canvas, foot, top, mix_colors(style.twig, 0.6), 3)
    blobs = _round_blobs(rng, height, width, 11, 0.66)
    dark = (scale_color(style.leaf[0], 0.7), scale_color(style.leaf[1], 0.8))
    draw_leaves(canvas, rng, style, dark, blobs, 2400, 7)
    return canvas
