"""What stands in front of the camera: objects of the scene in the frame, and the shadows that they cast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.data.synthetic.scene import Crowd, Scene
from desertseg.data.synthetic.sprites import Sprite, lay_flat
from desertseg.data.synthetic.terrain import FOCAL_X, FOCAL_Y, MAP, TILE, Camera, View, sample_height

_REACH = 0.45  # heights from an object's middle to where its edges meet the land


@dataclass(frozen=True)
class Standing:
    """One object as the camera sees it: metres away, and in parts of the frame the column of its middle, the row of its
    lowest foot, its height, the row of the land at its middle and the land's tilt (rows per column)."""

    kind: str
    sprite: Sprite
    depth: float
    x: float
    y: float
    tall: float
    ground: float
    tilt: float
    light: float  # brightness of the land there, 1 = open level ground


def find_objects(scene: Scene, view: View) -> list[Standing]:
    """Return the objects inside the frame, far to near."""
    found: list[Standing] = []
    for kind, crowd in scene.crowds.items():
        found += _find_kind(kind, crowd, scene, view)
    return sorted(found, key=lambda thing: -thing.depth)


def _find_kind(kind: str, crowd: Crowd, scene: Scene, view: View) -> list[Standing]:
    camera, places = view.camera, crowd.places
    dx = (places[:, 0] - camera.x + TILE / 2) % TILE - TILE / 2
    dz = (places[:, 1] - camera.z + TILE / 2) % TILE - TILE / 2
    cos, sin = np.cos(camera.yaw), np.sin(camera.yaw)
    depth, side = dx * sin + dz * cos, dx * cos - dz * sin
    population = crowd.population
    near = (depth > population.nearest) & (depth < population.farthest)
    near &= depth > places[:, 2] * 2.6  # nothing fills the whole frame
    near &= np.abs(side) < depth * 0.5 / FOCAL_X + places[:, 2] * 1.5
    if not near.any():
        return []
    places, depth, side = places[near], depth[near], side[near]
    x = 0.5 + FOCAL_X * side / depth
    tall = FOCAL_Y * places[:, 2] / depth
    reach = FOCAL_X * _REACH * places[:, 2] / depth
    level = camera.skyline + camera.roll * (x - 0.5)
    feet = level[:, None] + FOCAL_Y * (view.level - _find_footing(scene, camera, places)) / depth[:, None]
    # None hovers over a slope: it stands at the lowest of three points, and the land hides what is below it.
    y, ground, tilt = feet.max(1), feet[:, 1], camera.roll + (feet[:, 2] - feet[:, 0]) / (2 * reach)
    which = (places[:, 3] * len(crowd.sprites)).astype(int) % len(crowd.sprites)
    limit = view.hidden_below(x, depth)
    seen = np.flatnonzero((tall > 0.006) & (y - tall < limit))
    rows = np.stack([depth, x, y, tall, ground, tilt, find_light(scene, places)], 1)[seen].tolist()
    return [Standing(kind, crowd.sprites[number], *row) for number, row in zip(which[seen], rows, strict=True)]


def find_light(scene: Scene, places: np.ndarray) -> np.ndarray:
    """Return how bright objects stand at places (n, 4): terrain that turns from the sun keeps the ambient light."""
    row, column = ((places[:, axis] * (MAP / TILE)).astype(int) % MAP for axis in (1, 0))
    ambient = scene.style.ambient
    return np.clip(ambient + (1 - ambient) * scene.world.fields[row, column, 0] / 128, 0.65, 1.12)


def _find_footing(scene: Scene, camera: Camera, places: np.ndarray) -> np.ndarray:
    """Return the land's height under each object's left, middle and right, (n, 3)."""
    step = places[:, 2:3] * np.array([-_REACH, 0, _REACH], np.float32)
    x, z = places[:, :1] + step * np.cos(camera.yaw), places[:, 1:2] - step * np.sin(camera.yaw)
    return sample_height(scene.world, x, z)


def cast_shadows(standing: list[Standing], sun: tuple, eye: float, size: tuple[int, int]) -> np.ndarray:
    """Return uint8 (H, W): 255 in the sun, darker where objects stand between. Drawn at half size and softened."""
    height, width = size[0] // 2 + 1, size[1] // 2 + 1
    shadow = np.full((height, width), 255, np.uint8)
    right, up, ahead = sun
    level = float(np.hypot(right, ahead))
    reach = min(level / max(up, 0.2), 2.5)
    for thing in standing:
        if thing.tall < (0.06 if thing.kind == "grass" else 0.025) or thing.kind == "clutter":
            continue
        tall, wide = thing.tall * height, thing.tall * thing.sprite.aspect * 9 / 16 * width
        flat = min(eye / thing.depth, 0.5)  # how much the ground plane is foreshortened there
        # The object's outline, turned to face the sun and laid on the ground away from it.
        along = reach * tall * np.array([-right, ahead * flat]) / level
        across = wide * np.array([ahead, right * flat]) / level
        tilt = thing.tilt * height / width
        along[1] += tilt * along[0]
        across[1] += tilt * across[0]
        foot = np.array([thing.x * width, thing.ground * height])
        if thing.kind != "grass":  # the dark under its edge
            rim = max(1, int(wide * 0.45)), max(1, int(wide * 0.4 * flat))
            cv2.ellipse(shadow, (int(foot[0]), int(foot[1])), rim, np.degrees(np.arctan(tilt)), 0, 360, 105, -1)
        lay_flat(shadow, thing.sprite, foot, along, across, 0.45 if thing.kind == "grass" else 0.8)
    soft = max(1.0, height / 200)
    return cv2.resize(cv2.GaussianBlur(shadow, (0, 0), soft), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
