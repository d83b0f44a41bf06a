"""Draw what the desert's light does to one sample: a shadow, dust, a low sun, ground of another colour.

Shapes are fields on a coarse grid of the picture, which the device draws out. What lies on the ground is drawn in the
ground's own plane, seen from a camera whose horizon is guessed, so that it shrinks with the distance.
"""

from __future__ import annotations

import math

import numpy as np

from desertseg.labels import LabelMap

_SHADOW_ROWS = 48
_HAZE_ROWS = 12
_DUST = ((224, 200, 165), (205, 178, 140), (214, 182, 150), (200, 190, 172))
# Mean colours of grounds: red canyon, ochre sand, white salt, grey gravel, dark basalt, pale dune, brown earth.
_GROUNDS = (
    *((172, 96, 66), (196, 148, 92), (222, 218, 210), (150, 146, 140)),
    *((74, 68, 66), (214, 184, 142), (116, 88, 66)),
)
# How much of the ground's tint a class takes by its name: plants keep most of their colour.
_PLANTS = {"tree": 0.15, "lush": 0.15, "flower": 0.15, "vegetation": 0.15, "bush": 0.4, "grass": 0.6, "log": 0.4}


def find_sky(labels: LabelMap | None) -> int:
    """Return the index of the class named Sky, -1 if there is none."""
    names = [name.lower() for name in labels.names] if labels else []
    return names.index("sky") if "sky" in names else -1


def draw_tint(random: np.random.Generator, strength: float, labels: LabelMap | None) -> dict[str, np.ndarray]:
    """Return "tint" (target red, green, blue, strength) and "tint_weights" (256,), of each label."""
    color = (
        np.array(_GROUNDS[random.integers(len(_GROUNDS))]) * random.uniform(0.85, 1.1) * random.uniform(0.95, 1.05, 3)
    )
    return {"tint": np.array([*color, strength], np.float32), "tint_weights": _tint_weights(labels)}


def _tint_weights(labels: LabelMap | None) -> np.ndarray:
    weights = np.ones(256, np.float32)
    for index, name in enumerate(labels.names if labels else ()):
        words = name.lower()
        weights[index] = next((w for word, w in _PLANTS.items() if word in words), 1.0)
    sky = find_sky(labels)
    if sky >= 0:
        weights[sky] = 0
    return weights


def draw_haze(random: np.random.Generator, strength: float, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return "haze" (colour, opacity at the horizon, reach below and above it) and "haze_field", its density."""
    color = np.array(_DUST[random.integers(len(_DUST))]) * random.uniform(0.9, 1.05)
    reach = random.uniform(0.12, 0.45), random.uniform(0.1, 0.5)
    grid = _grid(size, _HAZE_ROWS)
    field = np.zeros(grid)
    if strength:
        x, y = _places(grid, size)
        field = 1 + 0.3 * _waves(random, x, y * random.uniform(1, 3), 2, 9)  # dust lies in streaks
        field = np.clip(field, 0.3, 1.7)
    return {"haze": np.array([*color, strength, *reach], np.float32), "haze_field": field.astype(np.float32)}


def draw_glare(random: np.random.Generator, strength: float) -> dict[str, np.ndarray]:
    """Return "glare": the sun's column, its row against the horizon's, radius, light, strength."""
    place = random.uniform(-0.1, 1.1), random.uniform(-0.2, 0.85)
    warmth = random.uniform(0.2, 1)
    light = 1, 1 - 0.22 * warmth, 1 - 0.5 * warmth
    return {"glare": np.array([*place, random.uniform(0.04, 0.1), *light, strength], np.float32)}


def draw_shadow(random: np.random.Generator, strength: float, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return "shadow" (what it takes of red, green and blue, the width of its edge) and "shadow_field".

    A cloud's shadow, one of a cliff, or those of poles and trunks. What lies in shadow is lit by the sky, so it loses
    less blue than red.
    """
    blue = random.uniform(0.1, 0.3)
    taken = strength * np.array([1, 1 - 0.35 * blue, 1 - blue])
    grid = _grid(size, _SHADOW_ROWS)
    field, edge = np.zeros(grid), 1.0
    if strength:
        field, edge = (_cloud, _cliff, _trunks)[random.integers(3)](random, *_places(grid, size))
    return {"shadow": np.array([*taken, edge], np.float32), "shadow_field": np.clip(field, -1, 1).astype(np.float32)}


def _cloud(random: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    across, away, near = _ground(random, x, y)
    field = _waves(random, across, away, 0.6, 3)
    field = field - np.quantile(field[near], 1 - random.uniform(0.25, 0.65))
    return field, random.uniform(0.25, 0.9)


def _cliff(random: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The shadow comes in from a side or from behind the camera, its edge as uneven as the rock that casts it."""
    angle = math.radians(random.uniform(-25, 205))
    towards, along = (x * math.cos(angle) + y * math.sin(angle)), (y * math.cos(angle) - x * math.sin(angle))
    rough = 0.06 * _waves(random, along, np.zeros_like(along), 4, 12) + 0.02 * _waves(random, along, towards, 15, 40)
    field = towards + rough * random.uniform(0.4, 1.4)
    return field - np.quantile(field, 1 - random.uniform(0.2, 0.55)), random.uniform(0.015, 0.06)


def _trunks(random: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Stripes that lie side by side on the ground, as one sun throws them."""
    across, away, near = _ground(random, x, y)
    angle = math.radians(random.uniform(0, 180))
    place = across * math.cos(angle) + away * math.sin(angle)
    field = np.full(x.shape, -1.0)
    for middle in random.choice(place[near], random.integers(1, 5)):
        field = np.maximum(field, random.uniform(0.03, 0.12) - np.abs(place - middle))
    field += 0.03 * random.uniform(0.3, 1.5) * _waves(random, across, away, 6, 25)
    # In heights of the picture, and gone where a stripe would be thinner than the grid can show.
    return field / away - 0.012 * np.maximum(away - 1.5, 0), random.uniform(0.015, 0.04)


def _ground(random: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the place of each point in the ground's plane, across and away, and whether it is near enough to see."""
    drop = y - random.uniform(0.15, 0.45)
    scale = 0.4 / np.maximum(drop, 0.05)  # further away the grid is too coarse for the ground
    return (x - x.mean()) * scale, scale, drop > 0.1


def _waves(random: np.random.Generator, x: np.ndarray, y: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return smooth noise of mean 0 and variance 1: a sum of plane waves of `low` to `high` radians a unit."""
    count = 7
    length = np.exp(random.uniform(math.log(low), math.log(high), count))
    angle, phase = random.uniform(0, 2 * math.pi, (2, count))
    waves = np.stack([length * np.cos(angle), length * np.sin(angle), phase], axis=1)
    places = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    total = np.cos((waves @ places).astype(np.float32)).sum(0)  # single precision takes a fifth of the time
    return total.reshape(x.shape) / math.sqrt(count / 2)


def _grid(size: tuple[int, int], rows: int) -> tuple[int, int]:
    """Return (rows, columns) of a grid of square cells, none smaller than a pixel."""
    rows = min(rows, size[0])
    return rows, max(1, min(size[1], round(rows * size[1] / size[0])))


def _places(grid: tuple[int, int], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of each cell's centre, in units of the picture's height."""
    y, x = ((np.arange(n) + 0.5) / n for n in grid)
    x, y = np.meshgrid(x * size[1] / size[0], y)
    return x, y
