"""A whole recipe: sections together, changed by name, to and from plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, get_type_hints

from desertseg.engine.recipe.errors import RecipeError
from desertseg.engine.recipe.sections import (
    AboutRecipe,
    AugmentRecipe,
    DataRecipe,
    InferenceRecipe,
    LossRecipe,
    ModelRecipe,
    OptimizerRecipe,
    Section,
    TrainRecipe,
    hints_of,
)
from desertseg.engine.recipe.values import describe_hint
from desertseg.errors import suggest
from desertseg.toml import TomlError, parse_toml


@dataclass(frozen=True)
class Recipe:
    """A whole training; every section has working defaults."""

    about: AboutRecipe = field(default_factory=AboutRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    inference: InferenceRecipe = field(default_factory=InferenceRecipe)

    def __post_init__(self) -> None:
        highest, last = self.optimizer.learning_rate, self.optimizer.final_learning_rate
        if last > highest:
            raise RecipeError(f"optimizer.final_learning_rate is {last}; it is at most the learning_rate, {highest}")

    def with_settings(self, **settings: Any) -> Recipe:
        """Return a copy with some keys changed, e.g. `with_settings(epochs=5, size=(96, 160), model="deeplabv3")`.

        The name of a section that has a `name` sets it. Any other key is a field; where two sections have it, as
        `flip`, that of the earlier section is meant, so training's before inference's. A key with its section, as
        `**{"inference.flip": True}`, means what it says and goes above the others.

        Raises:
            RecipeError: an unknown key or a wrong type; the message says the nearest right one.
        """
        homes = _homes()
        flat = {key: value for key, value in settings.items() if "." not in key}
        for key in flat:
            if key not in homes:
                raise RecipeError(
                    f"unknown setting '{key}'{suggest(key, homes)}; settings are {', '.join(sorted(homes))}"
                )
        whole = {key: value for key, value in settings.items() if "." in key}
        return self.with_changes({homes[key]: value for key, value in flat.items()} | whole)

    def with_changes(self, changes: Mapping[str, Any]) -> Recipe:
        """Return a copy with some keys changed, e.g. `with_changes({"train.epochs": 5, "model.options.width": 0.5})`.

        Raises:
            RecipeError: an unknown key or a wrong type; the message says the nearest right one.
        """
        data = self.to_dict()
        for key, value in changes.items():
            section, name, *rest = [*key.split("."), ""] if "." not in key else key.split(".")
            _check_key(section, name)
            if not rest:
                data[section][name] = value
                continue
            table = data[section]
            for step in (name, *rest[:-1]):
                table = table.setdefault(step, {})
                if not isinstance(table, dict):
                    raise RecipeError(f"'{key}' is no key: {section}.{name} is {describe_hint(_hint(section, name))}")
            table[rest[-1]] = value
        return Recipe.from_dict(data, source="")

    def to_dict(self) -> dict[str, Any]:
        """Return sections of plain values; tuples become lists, as TOML and JSON have them."""
        return {
            section: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
            for section, values in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "recipe") -> Recipe:
        """Return the recipe that `to_dict` described; sections and keys may be left out.

        Args:
            data: sections of keys and values.
            source: what an error calls it; "" for nothing.

        Raises:
            RecipeError: an unknown section or key, a wrong type or a value out of range.
        """
        sections = sections_of()
        made: dict[str, Any] = {}
        try:
            for section, values in data.items():
                if section not in sections:
                    raise RecipeError(_unknown_section(section))
                if not isinstance(values, dict):
                    raise RecipeError(
                        f"'{section}' is {values!r}; it is a section, so write [{section}] and keys below"
                    )
                for key in values:
                    _check_key(section, key)
                made[section] = sections[section](**values)
            return cls(**made)
        except RecipeError as error:
            raise RecipeError(f"{source}: {error}" if source else str(error)) from None


@cache
def sections_of() -> dict[str, type[Section]]:
    """Return name -> class of every section, in order."""
    return get_type_hints(Recipe)


def parse_change(text: str) -> tuple[str, Any]:
    """Return key and value of "train.epochs=5"; the value is TOML, or a word that is taken as a string.

    Raises:
        RecipeError: no "=", or a key that there is not.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise RecipeError(f"'{text}' is no change of a recipe; write SECTION.KEY=VALUE, such as train.epochs=5")
    section, *rest = key.split(".")
    _check_key(section, rest[0] if rest else "")
    try:
        parsed = parse_toml(f"value = {value}")
    except TomlError:
        return key, value
    return key, parsed["value"] if len(parsed) == 1 else value


@cache
def _homes() -> dict[str, str]:
    """Return setting -> "section.field"; [about] has no settings."""
    homes: dict[str, str] = {}
    for section, kind in sections_of().items():
        if section == "about":
            continue
        for name in hints_of(kind):
            homes.setdefault(section if name == "name" else name, f"{section}.{name}")
    return homes


def _hint(section: str, key: str) -> Any:
    return hints_of(sections_of()[section])[key]


def _check_key(section: str, key: str) -> None:
    """Refuse a key that a section has not, and say where it is, or which is nearest.

    Raises:
        RecipeError: as said.
    """
    sections = sections_of()
    if section in sections and key in hints_of(sections[section]):
        return
    whole = f"{section}.{key}" if key else section
    elsewhere = [f"'{s}.{key or section}'" for s, kind in sections.items() if (key or section) in hints_of(kind)]
    if elsewhere:
        raise RecipeError(f"unknown key '{whole}'; it is {' or '.join(elsewhere)}")
    if not key and section in sections:
        raise RecipeError(f"'{section}' is a section; its keys are {', '.join(hints_of(sections[section]))}")
    if key and section not in sections and not suggest(section, sections):
        raise RecipeError(_unknown_section(section))
    known = [f"{s}.{k}" for s, kind in sections.items() for k in hints_of(kind)]
    mine = [k for k in known if k.startswith(f"{section}.")]
    raise RecipeError(f"unknown key '{whole}'{suggest(whole, mine) or suggest(whole, known)}")


def _unknown_section(section: str) -> str:
    sections = sections_of()
    return f"unknown section [{section}]{suggest(section, sections)}; sections are {', '.join(sections)}"
