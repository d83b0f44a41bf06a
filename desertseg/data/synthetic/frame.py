"""One frame: a camera on the drive through a scene, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.synthetic.domains import DOMAINS, Style
from desertseg.data.synthetic.ground import lay_classes, paint_ground
from desertseg.data.synthetic.noise import make_rng
from desertseg.data.synthetic.scene import CLASS, Crowd, Scene, make_scene
from desertseg.data.synthetic.sky import PANORAMA, SCALE, SKYLINE
from desertseg.data.synthetic.sprites import Sprite, lay_flat, stamp
from desertseg.data.synthetic.terrain import FOCAL_X, FOCAL_Y, TILE, Camera, View, look, measure_depth, sample_height
from desertseg.labels import load_labels

REGION = 1_000_000
"""Frames after which the drives go on in another land of the same style."""
_STEP = 13.7  # metres between the frames of a drive
VERSION = 1  # of the drawing: grows when the same seed gives other pixels
_IDS = np.array(load_labels("falcon").ids, np.uint16)
_DRIFT = 0.1618034  # metres to the side for each metre ahead: the drive crosses the periodic world ever elsewhere
_SMALL = 480  # frames narrower than this are drawn twice as large and averaged


class SyntheticError(DataError):
    """A procedural desert that cannot be drawn or written as asked."""


@dataclass(frozen=True)
class Standing:
    """One object as the camera sees it: metres away; foot column, foot row and height in parts of the frame."""

    kind: str
    sprite: Sprite
    depth: float
    x: float
    y: float
    tall: float


def draw_frame(
    seed: int, index: int, domain: str = "desert", size: tuple[int, int] = (540, 960)
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return (image, mask, name) of one procedural frame, a function of the arguments alone.

    Consecutive indices go round the scenes of the domain, so that index // (number of scenes) is the position on a
    scene's drive. The camera is that of a 16:9 frame: another size shows the same picture, resampled.

    Args:
        seed: which world, >= 0.
        index: which frame, >= 0.
        domain: a key of `DOMAINS`.
        size: (height, width) in pixels, at least 32 x 32.

    Returns:
        image uint8 RGB (H, W, 3); mask uint16 (H, W) of raw Falcon ids; name such as "cc0000016".

    Raises:
        SyntheticError: an argument is out of range; the message says which.
    """
    check_request(seed, index, domain, size)
    scenes = DOMAINS[domain].scenes
    number, position = index % len(scenes), index // len(scenes)
    scene = make_scene(seed, domain, number, index // REGION)
    rng = make_rng(seed, domain, scene.style.prefix, "frame", position)
    zoom = 2 if size[1] < _SMALL else 1
    canvas = _draw_canvas(scene, position, rng, (size[0] * zoom, size[1] * zoom))
    classes = canvas[zoom // 2 :: zoom, zoom // 2 :: zoom, 3]
    image = canvas[..., :3]
    if zoom > 1:
        image = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image), _IDS[classes], f"{scene.style.prefix}{position:07d}"


def check_request(seed: int, index: int, domain: str, size: tuple[int, int]) -> None:
    """Raise SyntheticError where an argument of `draw_frame` is out of range."""
    if domain not in DOMAINS:
        raise SyntheticError(f"no domain '{domain}'; choose one of {', '.join(DOMAINS)}")
    if seed < 0 or index < 0:
        raise SyntheticError(f"seed {seed}, index {index}: both must be 0 or more")
    if min(size) < 32 or max(size) > 4096:
        raise SyntheticError(f"size {size[0]}x{size[1]} is out of range; use 32 to 4096 pixels a side, such as 540x960")


def place_camera(scene: Scene, position: int, rng: np.random.Generator) -> Camera:
    """Return the camera at a position of the scene's drive: a winding way that never closes, with a robot's sway."""
    style, way = scene.style, position * _STEP
    heading = 0.30 * np.sin(way / 61) + 0.22 * np.sin(way / 23.7)
    return Camera(
        x=(way * _DRIFT + 14 * np.sin(way / 47) + rng.normal(0, 1.5)) % TILE,
        z=(way + rng.normal(0, 1.0)) % TILE,
        yaw=float(np.clip(heading + rng.normal(0, 0.12), -0.7, 0.7)),
        eye=float(rng.uniform(*style.eye)),
        skyline=float(rng.uniform(*style.skyline)),
        roll=float(rng.normal(0, 0.035)),
    )


def _draw_canvas(scene: Scene, position: int, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    camera = place_camera(scene, position, rng)
    view = look(scene.world, camera)
    standing = find_objects(scene, view)
    canvas = _paint_sky(scene, camera, size)
    _paint_land(canvas, scene, view, standing, int(rng.integers(0, 960)))
    _stamp_objects(canvas, standing, view, scene.style)
    return _develop(canvas, rng, scene.style.exposure)


def _stamp_objects(canvas: np.ndarray, standing: list[Standing], view: View, style: Style) -> None:
    height, width = canvas.shape[:2]
    haze = tuple(float(c) * 0.95 for c in style.horizon)
    limits = (view.foot_rows(np.array([thing.depth for thing in standing]), width) * height).astype(np.int32) + 2
    for thing, limit in zip(standing, limits, strict=True):
        tall, wide = thing.tall * height, thing.tall * thing.sprite.aspect * 9 / 16 * width
        box = (thing.x * width - wide / 2, thing.y * height + 1 - tall, wide, tall)
        stamp(canvas, thing.sprite, box, limit, haze, 1 - float(np.exp(-thing.depth / style.haze)))


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
    level = _find_footing(scene, camera, places)
    x = 0.5 + FOCAL_X * side / depth
    y = camera.skyline + camera.roll * (x - 0.5) + FOCAL_Y * (view.level - level) / depth
    tall = FOCAL_Y * places[:, 2] / depth
    which = (places[:, 3] * len(crowd.sprites)).astype(int) % len(crowd.sprites)
    limit = view.hidden_below(x, depth)
    seen = np.flatnonzero((tall > 0.006) & (y - tall < limit))
    rows = np.stack([depth, x, y, tall], 1)[seen].tolist()
    return [Standing(kind, crowd.sprites[number], *row) for number, row in zip(which[seen], rows, strict=True)]


def _find_footing(scene: Scene, camera: Camera, places: np.ndarray) -> np.ndarray:
    """Return the lowest land under each object's left, middle and right, so that none hovers over a slope."""
    step = places[:, 2:3] * np.array([-0.45, 0, 0.45], np.float32)
    x, z = places[:, :1] + step * np.cos(camera.yaw), places[:, 1:2] - step * np.sin(camera.yaw)
    return sample_height(scene.world, x, z).min(1)


def _paint_sky(scene: Scene, camera: Camera, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    across, down = SCALE[1] / width, SCALE[0] / height
    left = PANORAMA[1] / 2 - SCALE[1] / 2 + camera.yaw / 1.39 * SCALE[1]
    top = SKYLINE - (camera.skyline - camera.roll / 2) * SCALE[0]
    matrix = np.array([[across, 0, left + across / 2], [-camera.roll * SCALE[0] / width, down, top + down / 2]])
    flags = cv2.WARP_INVERSE_MAP
    canvas = cv2.warpAffine(
        scene.panorama, matrix, (width, height), flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    # Between sky and land the interpolated class is neither: take the nearest one.
    canvas[..., 3] = np.where(canvas[..., 3] * 2 > CLASS["Sky"] + CLASS["Landscape"], CLASS["Sky"], CLASS["Landscape"])
    return canvas


def _paint_land(canvas: np.ndarray, scene: Scene, view: View, standing: list[Standing], shift: int) -> None:
    size = canvas.shape[:2]
    top, depth = measure_depth(view, size)
    first = size[0] - depth.shape[0]
    layers = lay_classes(scene.world, scene.style, scene.tiles, view.camera, depth, size, shift)
    shadow = _cast_shadows(standing, scene.style.sun, view.camera.eye, size)[first:]
    color = cv2.convertScaleAbs(paint_ground(layers, scene.style, depth, shadow))
    classes = np.full(depth.shape, CLASS["Landscape"], np.uint8)
    for layer, name in (("grass", "Dry Grass"), ("stone", "Ground Clutter"), ("flower", "Flowers")):
        classes[layers[layer] > 0] = CLASS[name]
    land = (np.arange(first, size[0])[:, None] >= top[None]).astype(np.uint8) * 255
    cv2.copyTo(cv2.merge([*cv2.split(color), classes]), land, canvas[first:])


def _cast_shadows(standing: list[Standing], sun: tuple, eye: float, size: tuple[int, int]) -> np.ndarray:
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
        foot = np.array([thing.x * width, thing.y * height])
        if thing.kind != "grass":  # the dark under its edge
            rim = max(1, int(wide * 0.45)), max(1, int(wide * 0.4 * flat))
            cv2.ellipse(shadow, (int(foot[0]), int(foot[1])), rim, 0, 0, 360, 105, -1)
        lay_flat(shadow, thing.sprite, foot, along, across, 0.45 if thing.kind == "grass" else 0.8)
    soft = max(1.0, height / 200)
    return cv2.resize(cv2.GaussianBlur(shadow, (0, 0), soft), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _develop(canvas: np.ndarray, rng: np.random.Generator, exposure: float) -> np.ndarray:
    """Return the canvas after the camera's exposure and tone curve, which vary a little from frame to frame."""
    gain, warm, gamma = exposure * rng.uniform(0.88, 1.1), rng.normal(0, 0.025), rng.uniform(0.98, 1.14)
    ramp = np.linspace(0, 1, 256)
    tables = [np.clip(255 * np.clip(gain * ramp * g, 0, 1) ** gamma, 0, 255) for g in (1 + warm, 1.0, 1 - warm)]
    return cv2.LUT(canvas, np.dstack([t.astype(np.uint8)[None] for t in (*tables, np.arange(256))]))
