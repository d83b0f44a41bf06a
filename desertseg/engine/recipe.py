"""A recipe: everything that decides a training, as frozen dataclasses that are read from and written to TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from desertseg.errors import UserError, suggest

AUTO = "auto"


class RecipeError(UserError):
    """A recipe that cannot be used."""


@dataclass(frozen=True)
class DataRecipe:
    """Which pixels the network sees: label map, training size (height, width) and how a frame is fitted into it."""

    labels: str = "falcon"
    size: tuple[int, int] = (192, 320)
    resize: str = "letterbox"


@dataclass(frozen=True)
class ModelRecipe:
    """The network by its names in the zoo, and what it starts from.

    Attributes:
        name: an architecture or a network of `desertseg models`; "auto" is the one that the weights are of, else
            deeplabv3plus.
        backbone: of the zoo; "auto" is the one that the weights are of, else the network's usual one.
        output_stride: input pixels a feature pixel, 8, 16 or 32; 0 is the weights' or the network's own.
        weights: file, folder or preset to start from; "" starts from random weights.
        open_blocks: how many of the backbone's last blocks are trained; 0 freezes it, "all" trains it whole; "auto"
            freezes DINOv2 and trains the others.
        options: of the network and the backbone, by the names of their constructors.
    """

    name: str = AUTO
    backbone: str = AUTO
    output_stride: int = 0
    weights: str = ""
    open_blocks: int | str = AUTO
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LossRecipe:
    """The loss by name: focal_dice, cross_entropy, focal or dice."""

    name: str = "focal_dice"


@dataclass(frozen=True)
class OptimizerRecipe:
    """AdamW with linear warm-up, then cosine decay to zero, both by step; weight decay spares norms and biases."""

    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_epochs: float = 2.0


@dataclass(frozen=True)
class AugmentRecipe:
    """Probability of a horizontal flip, and the zoom range of the random scale-crop (1 = the whole frame)."""

    flip: float = 0.5
    scale: tuple[float, float] = (0.75, 1.5)


@dataclass(frozen=True)
class TrainRecipe:
    """Length, batch size (images), seed of everything random, and whether compute runs in bfloat16."""

    epochs: int = 40
    batch_size: int = 8
    seed: int = 0
    mixed_precision: bool = False


@dataclass(frozen=True)
class Recipe:
    """A whole training; every section has working defaults."""

    data: DataRecipe = field(default_factory=DataRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)

    def __post_init__(self) -> None:
        positive: dict[str, float] = {"train.epochs": self.train.epochs, "train.batch_size": self.train.batch_size}
        positive |= {"optimizer.learning_rate": self.optimizer.learning_rate, "data.size": min(self.data.size)}
        for key, value in positive.items():
            if not value > 0:
                raise RecipeError(f"{key} is {value}; it must be positive")
        if not 0 <= self.augment.flip <= 1:
            raise RecipeError(f"augment.flip is {self.augment.flip}; a probability lies in 0..1")
        if not 0 < self.augment.scale[0] <= self.augment.scale[1]:
            raise RecipeError(f"augment.scale is {self.augment.scale}; it must be (smallest, largest), both positive")

    def with_settings(self, **settings: Any) -> Recipe:
        """Return a copy with some keys changed, e.g. `with_settings(epochs=5, size=(96, 160), model="deeplabv3")`.

        A key is a field of exactly one section, or a section that has a `name`, which it then sets.

        Raises:
            RecipeError: an unknown key or a wrong type; the message says the nearest right one.
        """
        changed: dict[str, dict[str, Any]] = {}
        homes = _homes()
        for key, value in settings.items():
            if key not in homes:
                raise RecipeError(
                    f"unknown setting '{key}'{suggest(key, homes)}; settings are {', '.join(sorted(homes))}"
                )
            section, name = homes[key]
            changed.setdefault(section, {})[name] = value
        data = self.to_dict()
        for section, values in changed.items():
            data[section].update(values)
        return Recipe.from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """Return sections of plain values; tuples become lists, as TOML and JSON have them."""
        return {
            section: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
            for section, values in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], source: str = "recipe") -> Recipe:
        """Return the recipe that `to_dict` described; sections and keys may be left out.

        Raises:
            RecipeError: an unknown section or key, a wrong type or a value out of range.
        """
        sections = get_type_hints(cls)
        made = {}
        for section, values in data.items():
            if section not in sections:
                raise RecipeError(f"{source}: unknown section [{section}]{suggest(section, sections)}")
            if not isinstance(values, dict):
                raise RecipeError(
                    f"{source}: '{section}' is {values!r}; it is a section, so write [{section}] and keys below"
                )
            hints = get_type_hints(sections[section])
            for key in values:
                if key not in hints:
                    raise RecipeError(f"{source}: unknown key '{section}.{key}'{suggest(key, hints)}")
            checked = {k: _checked(v, hints[k], f"{source}: {section}.{k}") for k, v in values.items()}
            made[section] = sections[section](**checked)
        return cls(**made)


def load_recipe(path: str | Path) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        RecipeError: no such file, not TOML, or not a recipe.
    """
    try:
        return Recipe.from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")), source=str(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"recipe {path} cannot be read: {error}") from error


def _homes() -> dict[str, tuple[str, str]]:
    """Return setting -> (section, field) for every name that means one field."""
    homes: dict[str, tuple[str, str]] = {}
    for section in dataclasses.fields(Recipe):
        for name in get_type_hints(get_type_hints(Recipe)[section.name]):
            homes[section.name if name == "name" else name] = (section.name, name)
    return homes


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Return `value` as the type that `hint` names; an int serves as a float, a list as a tuple."""
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
            raise RecipeError(f"{where} is {value!r}; expected {len(kinds)} values")
        return tuple(_checked(v, kind, where) for v, kind in zip(value, kinds, strict=True))
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise RecipeError(f"{where} is {value!r}; expected a table of names and values")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecipeError(f"{where} is {value!r}; expected {getattr(hint, '__name__', hint)}")
    return value
