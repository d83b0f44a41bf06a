"""A scene: everything that its frames share, made once from the seed and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from desertseg.data.synthetic import objects, plants
from desertseg.data.synthetic.domains import DOMAINS, Population, Style
from desertseg.data.synthetic.ground import draw_blades
from desertseg.data.synthetic.noise import make_rng
from desertseg.data.synthetic.sky import draw_panorama
from desertseg.data.synthetic.sprites import Sprite, make_sprite
from desertseg.data.synthetic.terrain import MAP, TILE, World, make_world
from desertseg.labels import load_labels

CLASS = {name: index for index, name in enumerate(load_labels("falcon").names)}
_VARIANTS = 7
_DRAW: dict[str, tuple[str, Callable[[np.random.Generator, Style], np.ndarray]]] = {
    "grass": ("Dry Grass", plants.draw_grass),
    "lush": ("Lush Bushes", plants.draw_lush),
    "dry": ("Dry Bushes", plants.draw_dry),
    "flower": ("Flowers", plants.draw_flowers),
    "rock": ("Rocks", objects.draw_rock),
    "outcrop": ("Rocks", objects.draw_outcrop),
    "log": ("Logs", objects.draw_log),
    "clutter": ("Ground Clutter", objects.draw_debris),
}
_TREES = {"joshua": plants.draw_joshua, "round": plants.draw_round}


@dataclass(frozen=True)
class Crowd:
    """All objects of one kind: float32 x, z, height in metres and the sprite's number, one row each."""

    population: Population
    places: np.ndarray
    sprites: tuple[Sprite, ...]


@dataclass(frozen=True)
class Scene:
    """What the frames of one drive share."""

    style: Style
    world: World
    panorama: np.ndarray  # uint8 (h, w, 4): RGB and class index
    tiles: dict[str, np.ndarray]
    crowds: dict[str, Crowd]


@lru_cache(maxsize=24)
def make_scene(seed: int, domain: str, number: int, region: int = 0) -> Scene:
    """Return scene `number` of a domain; the same for the same arguments in every process.

    Regions of a scene share its sky, plants and stones, and differ in terrain and in what stands where.
    """
    style = DOMAINS[domain].scenes[number]
    sprites, panorama, tiles = _draw_textures(seed, domain, number)
    world = make_world(make_rng(seed, domain, style.prefix, "world", region), style)
    crowds = {}
    for kind, population in style.mix.items():
        places = place_objects(make_rng(seed, domain, style.prefix, "place " + kind, region), world, population)
        crowds[kind] = Crowd(population, places, sprites[kind])
    return Scene(style, world, panorama, tiles, crowds)


@lru_cache(maxsize=12)
def _draw_textures(seed: int, domain: str, number: int) -> tuple[dict[str, tuple[Sprite, ...]], np.ndarray, dict]:
    """Return (sprites by kind, panorama, tiles) of a scene."""
    style = DOMAINS[domain].scenes[number]

    def rng(part: str) -> np.random.Generator:
        return make_rng(seed, domain, style.prefix, part)

    color, land = draw_panorama(rng("sky"), style)
    classes = np.where(land > 0, CLASS["Landscape"], CLASS["Sky"]).astype(np.uint8)
    tiles = {"blades": draw_blades(rng("blades")), "stones": objects.draw_stone_tile(rng("stones"))}
    return {kind: _draw_sprites(rng(kind), style, kind) for kind in style.mix}, np.dstack([color, classes]), tiles


def _draw_sprites(rng: np.random.Generator, style: Style, kind: str) -> tuple[Sprite, ...]:
    name, draw = ("Trees", _TREES[style.tree]) if kind == "tree" else _DRAW[kind]
    return tuple(_tone(make_sprite(draw(rng, style), CLASS[name]), style) for _ in range(_VARIANTS))


def _tone(sprite: Sprite, style: Style) -> Sprite:
    """Return the sprite under the scene's coloured light."""
    tables = np.dstack([np.clip(np.arange(256) * c, 0, 255).astype(np.uint8)[None] for c in (*style.sunlight, 1.0)])
    return Sprite(tuple((cv2.LUT(pixels, tables), alpha) for pixels, alpha in sprite.levels), sprite.aspect)


def place_objects(rng: np.random.Generator, world: World, population: Population) -> np.ndarray:
    """Return float32 (n, 4): x, z, height and a random number, most of them on the ground they like."""
    count = round(population.per_hectare * TILE * TILE / 1e4)
    spots = rng.uniform(0, TILE, (4 * count, 2)).astype(np.float32)
    row, column = ((spots[:, axis] * (MAP / TILE)).astype(int) % MAP for axis in (1, 0))
    channel, sign = {"grass": (1, 1.0), "clutter": (2, 1.0), "flower": (3, 1.0), "tint": (3, -1.0), "any": (1, 0.0)}[
        population.likes
    ]
    liking = sign * world.fields[row, column, channel] / 255 * 9
    best = np.argsort(-(liking + rng.gumbel(size=len(spots))), kind="stable")[:count]
    low, high = population.height
    height = low + (high - low) * rng.random(count) ** 1.8
    return np.column_stack([spots[np.sort(best)], height, rng.random(count)]).astype(np.float32)
