"""A contact sheet of what a recipe's augmentation makes of frames, exactly as the training step sees it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.augment import augment
from desertseg.data import Augmentation, ClassIndex, Frame, find_frames, index_classes, load_dataset, write_png
from desertseg.data.augmentation import PROBABILITIES
from desertseg.engine.plan import resolve_labels
from desertseg.engine.recipe import Recipe
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.report.sheet import Column, Tile, draw_sheet

# What shows an effect that the recipe leaves off.
_SHOWN: dict[str, Any] = {
    "rotate": 10.0,
    "scale": (0.75, 1.5),
    "shear": 10.0,
    "aspect": (0.75, 1.33),
    "brightness": (0.6, 1.4),
    "contrast": (0.6, 1.4),
    "saturation": (0.3, 1.7),
    "hue": 20.0,
    "gamma": (0.6, 1.67),
}
_ORDER = (
    *("flip", "vertical_flip", "rotate", "scale", "shear", "aspect", "rare_crop"),
    *("brightness", "contrast", "saturation", "hue", "gamma", "blur", "noise", "clahe"),
    *("shadow", "haze", "glare", "tint", "cutmix", "copy_paste"),
)
_NONE = Augmentation(flip=0.0, scale=(1.0, 1.0))


@dataclass(frozen=True)
class Sheet:
    """What `draw_augment_sheet` wrote: the file, the frames in its rows, the titles of its columns."""

    path: Path
    frames: tuple[Frame, ...]
    titles: tuple[str, ...]


def draw_augment_sheet(
    data: str | Path | Sequence[Frame],
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    split: str = "train",
    frames: int = 4,
    variants: int = 6,
    seed: int = 0,
    each: bool = False,
    **settings: Any,
) -> Sheet:
    """Write a contact sheet as PNG and return what is on it.

    Rows are frames, spread over the split. The first column is the frame as it is loaded without augmentation; the
    others are what `load_dataset` and `augment` make of it in the first epochs of a training with this seed, or, with
    `each`, every effect alone.

    Args:
        data: a folder as `find_frames` knows it, or frames.
        out: the file, .png.
        recipe: its sections data and augment count; the default recipe if None.
        split: which split of a folder.
        frames: rows.
        variants: columns beside the first.
        seed: decides what is drawn.
        each: one column an effect, with probability 1, and as strong as the recipe has it; effects that the recipe
            leaves off are shown at a usual strength.
        settings: changes of the recipe, as `fit` takes them.

    Raises:
        UserError: a file, an option or a recipe that cannot be used.
    """
    recipe = (recipe or Recipe()).with_settings(**settings)
    if frames < 1 or variants < 1:
        raise UserError(f"{frames} frames and {variants} variants make no sheet; give 1 or more of each")
    if Path(out).suffix.lower() != ".png":
        raise UserError(f"{out} is no PNG file; write --out sheet.png")
    recipe, labels, _ = resolve_labels(recipe, data)
    found = find_frames(data, split) if isinstance(data, (str, Path)) else list(data)
    chosen = np.unique(np.linspace(0, len(found) - 1, min(frames, len(found))).astype(int))
    augmentation = Augmentation(**dataclasses.asdict(recipe.augment))
    viewer = _Viewer(found, chosen, recipe, labels, seed)
    columns = [viewer.loaded()]
    if each:
        columns += [viewer.column(title, one) for title, one in list_effects(augmentation)]
    else:
        columns += [viewer.column(f"epoch {epoch + 1}", augmentation, epoch) for epoch in range(variants)]
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    write_png(out, draw_sheet(columns, labels))
    return Sheet(Path(out), tuple(viewer.frames), tuple(c.title for c in columns))


def list_effects(augmentation: Augmentation) -> list[tuple[str, Augmentation]]:
    """Return a title and an augmentation of one effect alone, at full probability, for each effect that there is."""
    effects = []
    for name in _ORDER:
        value = getattr(augmentation, name)
        used = value != getattr(_NONE, name)
        if name in PROBABILITIES:
            title = f"{name} ({value:g})" if used else f"{name} (off)"
            changes: dict[str, Any] = {name: 1.0}
        else:
            title = name if used else f"{name} (off)"
            changes = {name: value if used else _SHOWN[name]}
        if name == "rare_crop":  # which chooses a place only where the crop leaves one
            changes["scale"] = (max(1.5, augmentation.scale[1]),) * 2
        kept = {f.name: getattr(augmentation, f.name) for f in dataclasses.fields(augmentation) if "_" in f.name}
        kept = {key: value for key, value in kept.items() if key not in PROBABILITIES}
        effects.append((title, dataclasses.replace(_NONE, **kept, **changes)))
    return effects


class _Viewer:
    """Loads and augments a few of the frames, as one batch."""

    def __init__(self, found: Sequence[Frame], chosen: np.ndarray, recipe: Recipe, labels: LabelMap, seed: int) -> None:
        self.found, self.chosen, self.labels = found, chosen, labels
        self.frames = [found[i] for i in chosen]
        self.size = recipe.data.size
        self.options: dict[str, Any] = {"labels": labels, "size": self.size, "resize": recipe.data.resize}
        self.options |= {"batch_size": len(self.frames), "shuffle": False, "drop_remainder": False, "seed": seed}
        self.augment = _compile(lambda images, labels, parameters: augment(images, labels, parameters, self.size))
        self.index: ClassIndex | None = None

    def loaded(self) -> Column:
        """Return the frames as they are loaded without augmentation."""
        images, labels = next(iter(load_dataset(self.frames, **self.options)))
        notes = [(frame.name,) for frame in self.frames]
        return Column("as loaded", [Tile(*tile) for tile in zip(images, labels, notes, strict=True)])

    def column(self, title: str, augmentation: Augmentation, epoch: int = 0) -> Column:
        """Return what an augmentation makes of the frames in an epoch."""
        index = None
        if augmentation.needs_index:
            augmentation, index = self._find_rare(augmentation)
        options = {**self.options, "augmentation": augmentation, "index": index, "epochs": epoch + 1, "start": epoch}
        batch, labels = next(iter(load_dataset(self.frames, **options)))
        parameters = {key: value for key, value in batch.items() if key != "image"}
        pictures, seen = self.augment(batch["image"], labels, parameters)
        pictures = np.rint(keras.ops.convert_to_numpy(pictures)).astype(np.uint8)
        seen = keras.ops.convert_to_numpy(seen)
        zoom = batch["image"].shape[2] / self.size[1]
        notes = [_describe({k: v[i] for k, v in parameters.items()}, zoom) for i in range(len(self.frames))]
        return Column(title, [Tile(*tile) for tile in zip(pictures, seen, notes, strict=True)])

    def _find_rare(self, augmentation: Augmentation) -> tuple[Augmentation, ClassIndex]:
        """Name the classes that are rare in all the frames, as a training finds them, and index the chosen ones."""
        if self.index is None:
            self.index = index_classes(self.found, self.labels)
        names = tuple(self.labels.names[i] for i in self.index.rare(self.labels, augmentation.rare_classes))
        index = ClassIndex(self.index.counts[self.chosen], self.index.points[self.chosen])
        return dataclasses.replace(augmentation, rare_classes=names or augmentation.rare_classes), index


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled where running it eagerly would compile every operation by itself."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def _describe(parameters: Mapping[str, np.ndarray], zoom: float) -> tuple[str, ...]:
    """Return one sample's parameters in words: what acted, and how much."""
    p = parameters
    (a, b), (c, d) = p["affine"][:, :2].astype(float)
    area = a * d - b * c
    words = [f"zoom {zoom / math.sqrt(abs(area)):.2f}"]
    turn = math.degrees(math.atan2(-b, abs(a)))
    if abs(turn) > 0.5:
        words.append(f"turn {turn:+.0f}")
    if area < 0:
        words.append("flip")
    if "gamma" in p and p["gamma"] != 1:
        words.append(f"gamma {p['gamma']:.2f}")
    if "color" in p and not np.array_equal(p["color"], np.eye(3, 4)):
        words.append(f"gain {float(p['color'][:, :3].sum()) / 3:.2f}")
    if "blur" in p and p["blur"][0] < 1:
        distance = np.arange(len(p["blur"]))
        words.append(f"blur {math.sqrt(2 * float((distance**2 * p['blur']).sum())):.1f}")
    strengths = {"noise": p.get("noise", 0), "clahe": p.get("clahe", 0)}
    for name, place in (("shadow", 0), ("haze", 3), ("glare", 6), ("tint", 3)):
        strengths[name] = p[name][place] if name in p else 0
    words += [f"{name} {float(value):.2g}" for name, value in strengths.items() if value]
    if "cutmix" in p and p["cutmix"].any():
        words.append("cutmix")
    if "paste" in p and p["paste"].any():
        words.append("copy_paste")
    return tuple(words)
