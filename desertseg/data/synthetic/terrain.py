"""The land itself: a periodic world of height and cover fields, and how a camera sees it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Style
from desertseg.data.synthetic.noise import draw_noise, rank_uniform

TILE = 320.0  # metres after which the world repeats
MAP = 1024  # pixels of a field over one tile
FOCAL_X = 0.62  # focal length in frame widths
FOCAL_Y = FOCAL_X * 16 / 9  # in frame heights: the camera is that of a 16:9 frame whatever the size
_COLUMNS = 241  # columns and depth steps in which the terrain is solved, the same at every size
_DEPTHS = np.geomspace(1.0, 300.0, 230)
_FIELDS = MAP / TILE


@dataclass(frozen=True)
class World:
    """A scene's ground. All maps repeat after `TILE` metres in both directions.

    Args:
        height: float32 metres.
        fields: uint8 (MAP, MAP, 4): sunlight (128 = level ground), and the ranks of grass, clutter and tint.
        grain: uint8, fine texture of the sand.
    """

    height: np.ndarray
    fields: np.ndarray
    grain: np.ndarray


@dataclass(frozen=True)
class Camera:
    """Where the frame is taken from: metres in the world, radians, and parts of the frame's height for `skyline`.

    `track` gives the way of earlier vehicles: x = track[0] + track[1] z + track[2] z^2 in metres from the camera.
    """

    x: float
    z: float
    yaw: float
    eye: float
    skyline: float
    roll: float
    track: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class View:
    """What the camera sees of the land. Rows and columns in parts of the frame (0..1).

    Args:
        camera: where it stands.
        level: its height in the world, metres.
        edge: (depths, columns): the highest row that land up to that depth reaches.
    """

    camera: Camera
    level: float
    edge: np.ndarray

    def hidden_below(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the rows (0..1) under which land nearer than z hides what stands at columns x (0..1)."""
        step = np.maximum(np.searchsorted(_DEPTHS, z * 0.97) - 1, 0)
        return self.edge[step, np.clip(x * (_COLUMNS - 1), 0, _COLUMNS - 1).astype(int)]

    def foot_rows(self, depths: np.ndarray, width: int) -> np.ndarray:
        """Return the rows (0..1) that land up to each depth reaches, (depths, width): where objects there meet it."""
        step = np.maximum(np.searchsorted(_DEPTHS, np.asarray(depths) * 0.985) - 1, 0)
        return cv2.resize(self.edge[step], (width, len(step)), interpolation=cv2.INTER_LINEAR)


def make_world(rng: np.random.Generator, style: Style) -> World:
    """Return the world of a scene."""
    size = 512
    height = draw_noise(rng, size, 4, octaves=5, gain=0.36) * style.relief
    height += 0.10 * draw_noise(rng, size, 32, octaves=4, gain=0.6)
    slope_z, slope_x = np.gradient(np.pad(height, 2, mode="wrap"), TILE / size)
    right, up, ahead = style.sun
    towards = np.asarray(slope_x * right + slope_z * ahead)[2:-2, 2:-2]
    light = 1 - 1.5 * towards / max(up, 0.25)
    light = np.asarray(cv2.resize(np.clip(light, 0.5, 1.6), (MAP, MAP), interpolation=cv2.INTER_CUBIC))
    clouds = draw_noise(rng, MAP, 4, octaves=3)
    light *= 1 - 0.28 * np.clip(clouds - 0.6, 0, 1)
    grass = draw_noise(rng, MAP, 16, octaves=6, gain=0.62)
    clutter = draw_noise(rng, MAP, 16, octaves=5, gain=0.6) - 0.25 * grass
    tint = draw_noise(rng, MAP, 16, octaves=5, gain=0.6)
    fields = np.dstack([np.clip(light * 128, 0, 255), *(rank_uniform(f) for f in (grass, clutter, tint))])
    return World(height, np.ascontiguousarray(fields.astype(np.uint8)), _draw_grain(rng, style))


def _draw_grain(rng: np.random.Generator, style: Style) -> np.ndarray:
    size = 512
    rough = draw_noise(rng, size, 16, octaves=6, gain=0.85)
    bend = draw_noise(rng, size, 4, octaves=3)
    rows = np.arange(size, dtype=np.float32)[:, None] / size
    ripples = np.sin(2 * np.pi * 22 * rows + 2.2 * bend) * (bend > -0.6)
    return np.clip(128 + 24 * rough + 44 * style.ripple * ripples, 0, 255).astype(np.uint8)


def sample_height(world: World, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the land's height at world positions, float32 of their (2-D) shape."""
    scale = world.height.shape[0] / TILE
    column, row = (np.mod(v, TILE).astype(np.float32) * np.float32(scale) for v in (x, z))
    return cv2.remap(world.height, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def look(world: World, camera: Camera) -> View:
    """Return what the camera sees of the world."""
    side = (np.linspace(-0.5, 0.5, _COLUMNS) / FOCAL_X)[None]
    depth = _DEPTHS[:, None]
    x, z = to_world(camera, depth * side, depth)
    level = float(sample_height(world, np.array([[camera.x]]), np.array([[camera.z]]))[0, 0]) + camera.eye
    rows = camera.skyline + camera.roll * side * FOCAL_X + FOCAL_Y * (level - sample_height(world, x, z)) / depth
    return View(camera, level, np.minimum.accumulate(rows, axis=0))


def to_world(camera: Camera, side: np.ndarray, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return world x, z of points given to the right of and ahead of the camera, in metres."""
    cos, sin = np.float32(np.cos(camera.yaw)), np.float32(np.sin(camera.yaw))
    x = np.float32(camera.x % TILE) + side * cos + ahead * sin
    return x, np.float32(camera.z % TILE) + ahead * cos - side * sin


def measure_depth(view: View, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (top, depth): the first row of land in each column, and metres from the camera for rows from top.min() on.

    Args:
        view: from `look`.
        size: (height, width) of the frame.
    """
    height, width = size
    place = (np.arange(width, dtype=np.float32) + 0.5) / width * (_COLUMNS - 1)
    skyline = np.interp(place, np.arange(_COLUMNS), view.edge[-1])
    top = np.clip(np.round(skyline * height), 0, height - 1).astype(int)
    rows = (np.arange(top.min(), height) + 0.5) / height
    inverse = np.empty((len(rows), _COLUMNS), np.float32)
    near = (1 / _DEPTHS)[::-1]
    for column in range(_COLUMNS):
        inverse[:, column] = np.interp(rows, view.edge[::-1, column], near)
    across, down = np.meshgrid(place.astype(np.float32), np.arange(len(rows), dtype=np.float32))
    return top, 1 / cv2.remap(inverse, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sample_fields(world: World, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the fields (uint8, 4 channels) at world positions, float32 (h, w)."""
    return cv2.remap(
        world.fields, x * np.float32(_FIELDS), z * np.float32(_FIELDS), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
