"""The open ground between the objects: sand, and grass and loose stones as texture with their own classes."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.data.synthetic.domains import Style
from desertseg.data.synthetic.noise import draw_noise
from desertseg.data.synthetic.objects import STONE_TILE
from desertseg.data.synthetic.terrain import FOCAL_X, FOCAL_Y, Camera, World, sample_fields, to_world

_STONE_METRES = 6.5  # side of the tile of loose stones
_GRAIN_METRES = 3.0
_BLADES = (540, 960)  # grid of the blade texture, stretched over the frame at every size


def draw_blades(rng: np.random.Generator) -> np.ndarray:
    """Return the blade textures, uint8 (540, 1920, 2): upright streaks for near grass, speckle for far grass."""
    layers = []
    for long, patchy in ((6.0, 0.5), (0.9, 0.35)):
        smooth = np.asarray(cv2.GaussianBlur(rng.random((1024, 2048), np.float32), (1, 31), sigmaX=0.01, sigmaY=long))
        noise = (smooth - smooth.mean()) / smooth.std() + patchy * draw_noise(rng, (1024, 2048), (128, 256), octaves=3)
        layers.append(np.clip(128 + 62 * noise[: _BLADES[0], : 2 * _BLADES[1]], 0, 255).astype(np.uint8))
    return np.dstack(layers)


def lay_classes(
    world: World,
    style: Style,
    tiles: dict[str, np.ndarray],
    camera: Camera,
    depth: np.ndarray,
    size: tuple[int, int],
    shift: int,
) -> dict[str, np.ndarray]:
    """Return what the ground is at each pixel: uint8 layers by name.

    Keys: "light", "tint", "grain" (textures), "grass", "flower", "stone" (0 or 255) and "blade" (tone of grass),
    "tone" (tone of stones).

    Args:
        world: the scene's world.
        style: the scene's style.
        tiles: "blades" and "stones" of the scene.
        camera: where the frame is taken from.
        depth: (h, W) metres, from `measure_depth`.
        size: (H, W) of the frame.
        shift: column of the blade texture at the frame's left edge.
    """
    height, width = size
    side = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / np.float32(width * FOCAL_X) * depth
    x, z = to_world(camera, side, depth)
    fields = sample_fields(world, x, z)
    blade, speckle = _grow_blades(tiles["blades"][:, shift : shift + _BLADES[1]], depth, size)
    roots = _find_roots(fields, blade, depth, height * FOCAL_Y * style.grass_height)
    stone_x, stone_z = (np.mod(v, np.float32(_STONE_METRES)) * np.float32(STONE_TILE / _STONE_METRES) for v in (x, z))
    tone = cv2.remap(tiles["stones"], stone_x, stone_z, cv2.INTER_NEAREST, borderMode=cv2.BORDER_WRAP)
    grain = _sample_grain(world.grain, x, z, speckle)
    if style.tracks:
        ruts = _find_ruts(camera, x, z)
        grain = cv2.subtract(grain, ruts)
        cv2.subtract(roots, cv2.merge([ruts, ruts, ruts]), dst=roots)
    classes = _decide(style, fields, roots, blade, tone, depth, height)
    return {"light": fields[..., 0], "tint": fields[..., 3], "grain": grain, "blade": blade, **classes}


def _grow_blades(texture: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (blade, speckle) of the land's rows: streaks near the camera that turn to speckle, and speckle alone."""
    blades = cv2.resize(texture, size[::-1], interpolation=cv2.INTER_AREA)[size[0] - depth.shape[0] :]
    near = np.clip(1.4 - depth * np.float32(1 / 30), 0, 1)
    streak, speckle = cv2.split(blades)
    return cv2.blendLinear(streak, speckle, near, 1 - near), speckle


def _find_roots(fields: np.ndarray, blade: np.ndarray, depth: np.ndarray, tall: float) -> np.ndarray:
    """Return the cover fields where the blade that crosses a pixel has its root: some rows below, in nearer land.

    So a patch gets a tufted upper edge. `tall` is the height in pixels of the longest blade one metre away.
    """
    rows, width = depth.shape
    down = np.arange(rows, dtype=np.float32)[:, None] + np.float32(tall) / depth * blade * np.float32(1 / 255)
    across = np.repeat(np.arange(width, dtype=np.float32)[None], rows, axis=0)
    return cv2.remap(fields[..., 1:], across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _sample_grain(grain: np.ndarray, x: np.ndarray, z: np.ndarray, speckle: np.ndarray) -> np.ndarray:
    """Return the sand's texture, uint8: fine and coarse grain and a speckle that distance does not blur."""
    turned = (x + np.float32(0.4) * z, z - np.float32(0.4) * x)  # off the axes of the other textures
    column, row = (v * np.float32(grain.shape[0] / _GRAIN_METRES) for v in turned)
    fine = cv2.remap(grain, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    coarse = cv2.remap(grain, column / 9, row / 9, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return cv2.addWeighted(fine, 0.55, cv2.addWeighted(coarse, 0.5, speckle, 0.5, 0), 0.45, 0)


def _find_ruts(camera: Camera, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return uint8: 0 off the wheel tracks, up to 60 in the middle of one."""
    start, slope, bend = (np.float32(v) for v in camera.track)
    ahead = z - np.float32(camera.z)
    aside = np.abs(x - np.float32(camera.x) - start - ahead * (slope + bend * ahead))
    return cv2.convertScaleAbs(np.maximum(0, 60 - 200 * np.abs(aside - np.float32(0.85))))


def _decide(
    style: Style,
    fields: np.ndarray,
    roots: np.ndarray,
    blade: np.ndarray,
    tone: np.ndarray,
    depth: np.ndarray,
    height: int,
) -> dict[str, np.ndarray]:
    """Return the class layers of the ground from its fields and textures."""
    ragged = cv2.addWeighted(roots[..., 0], 1.0, blade, 0.30, -38)
    grass = cv2.threshold(ragged, 255 * (1 - style.cover["grass"]), 255, cv2.THRESH_BINARY)[1]
    flower = np.zeros_like(grass)
    if style.cover["flower"]:
        bloom = cv2.addWeighted(roots[..., 2], 1.0, blade, 0.12, -16)
        flower = cv2.threshold(bloom, 255 * (1 - style.cover["flower"] * 0.6), 255, cv2.THRESH_BINARY)[1]
    # Stones stand up: a pixel is stone where one lies at it or a little below it.
    rise = max(1, round(height / 180))
    body = cv2.dilate(tone, np.ones((rise + 1, 1), np.uint8), anchor=(0, 0))
    # Whole stones drop out towards the edge of a patch: each has one tone.
    sparse = cv2.addWeighted(fields[..., 2], 1.0, body, -0.22, 37)
    littered = cv2.threshold(sparse, 255 * (1 - style.cover["clutter"]), 255, cv2.THRESH_BINARY)[1]
    stone = cv2.bitwise_and(littered, cv2.threshold(body, 0, 255, cv2.THRESH_BINARY)[1])
    stone[depth > 90] = 0
    side = cv2.bitwise_not(cv2.threshold(tone, 0, 255, cv2.THRESH_BINARY)[1])  # the upright face, seen below the top
    cv2.copyTo(cv2.convertScaleAbs(body, alpha=0.4), side, tone)
    return {"grass": grass, "flower": flower, "stone": stone, "tone": tone}


def paint_ground(layers: dict[str, np.ndarray], style: Style, depth: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """Return the ground as float32 RGB (h, W, 3), lit, shaded and hazed.

    Args:
        layers: from `lay_classes`.
        style: the scene's style.
        depth: (h, W) metres.
        shadow: uint8 (h, W), 255 where the sun reaches the ground.
    """
    grain = layers["grain"].astype(np.float32)
    near = 1 / (1 + depth * np.float32(1 / 45))
    relief = 1 + (grain - 128) * np.float32(1 / 170) * near
    light = layers["light"].astype(np.float32) * np.float32(1 / 128) * shadow.astype(np.float32) * np.float32(1 / 255)
    level = style.ambient + (1 - style.ambient) * light
    sand = _blend(style.sand, layers["tint"].astype(np.float32) * np.float32(1 / 255))
    sand *= (relief * level)[..., None]
    blade = layers["blade"].astype(np.float32) * np.float32(1 / 255)
    grass = _blend(style.grass, blade * 0.72 + 0.16) * (level * (0.86 + 0.1 * near))[..., None]
    cv2.copyTo(grass, layers["grass"], sand)
    stone = _blend(style.stone, layers["tone"].astype(np.float32) * np.float32(1 / 255)) * level[..., None]
    cv2.copyTo(stone, layers["stone"], sand)
    if layers["flower"].any():
        petals = _blend((style.leaf[0], style.flower[0]), np.clip(blade * 2.6 - 1.1, 0, 0.85)) * level[..., None]
        cv2.copyTo(petals, layers["flower"], sand)
    sand *= np.asarray(style.sunlight, np.float32)
    air = (1 - np.exp(-depth / np.float32(style.haze)))[..., None]
    return sand + air * (np.asarray(style.horizon, np.float32) * np.float32(0.92) - sand)


def _blend(pair: tuple, amount: np.ndarray) -> np.ndarray:
    low, high = (np.asarray(c, np.float32) for c in pair)
    return cv2.merge([low[c] + (high[c] - low[c]) * amount for c in range(3)])
