"""One frame: a camera on the drive through a scene, and what it sees."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.synthetic.domains import DOMAINS, Style
from desertseg.data.synthetic.ground import lay_classes, paint_ground
from desertseg.data.synthetic.noise import make_rng
from desertseg.data.synthetic.scene import CLASS, Scene, make_scene
from desertseg.data.synthetic.sky import PANORAMA, SCALE, SKYLINE
from desertseg.data.synthetic.sprites import stamp
from desertseg.data.synthetic.standing import Standing, cast_shadows, find_objects
from desertseg.data.synthetic.terrain import TILE, Camera, View, look, measure_depth
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
    slope, aside = _DRIFT + 14 / 47 * np.cos(way / 47), float(rng.normal(0, 1.3))
    heading = 0.8 * np.arctan(slope) + 0.22 * np.sin(way / 23.7)
    return Camera(
        x=(way * _DRIFT + 14 * np.sin(way / 47) + aside) % TILE,
        z=(way + rng.normal(0, 1.0)) % TILE,
        yaw=float(np.clip(heading + rng.normal(0, 0.12), -0.55, 0.55)),
        track=(-aside, float(slope), float(-7 / 47**2 * np.sin(way / 47))),
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
        amount = 1 - float(np.exp(-thing.depth / style.haze))
        stamp(canvas, thing.sprite, box, limit, haze, amount, thing.light)


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
    shadow = cast_shadows(standing, scene.style.sun, view.camera.eye, size)[first:]
    color = cv2.convertScaleAbs(paint_ground(layers, scene.style, depth, shadow))
    classes = np.full(depth.shape, CLASS["Landscape"], np.uint8)
    for layer, name in (("grass", "Dry Grass"), ("stone", "Ground Clutter"), ("flower", "Flowers")):
        classes[layers[layer] > 0] = CLASS[name]
    land = (np.arange(first, size[0])[:, None] >= top[None]).astype(np.uint8) * 255
    cv2.copyTo(cv2.merge([*cv2.split(color), classes]), land, canvas[first:])


def _develop(canvas: np.ndarray, rng: np.random.Generator, exposure: float) -> np.ndarray:
    """Return the canvas after the camera's exposure and tone curve, which vary a little from frame to frame."""
    gain, warm, gamma = exposure * rng.uniform(0.88, 1.1), rng.normal(0, 0.025), rng.uniform(0.98, 1.14)
    ramp = np.linspace(0, 1, 256)
    tables = [np.clip(255 * np.clip(gain * ramp * g, 0, 1) ** gamma, 0, 255) for g in (1 + warm, 1.0, 1 - warm)]
    return cv2.LUT(canvas, np.dstack([t.astype(np.uint8)[None] for t in (*tables, np.arange(256))]))
