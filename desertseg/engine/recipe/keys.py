"""Every key of a recipe, from the dataclasses: the meaning from the docstring, type and range from the hint."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

import tomli_w

from desertseg.engine.recipe.recipe import sections_of
from desertseg.engine.recipe.sections import Section, hints_of
from desertseg.engine.recipe.values import describe_hint, rules_of


@dataclass(frozen=True)
class Key:
    """A key of a recipe.

    Attributes:
        name: such as "train.epochs".
        kind: type in words, such as "a whole number".
        allowed: range or choices in words, "" for any.
        default: as TOML writes it.
        meaning: what it decides.
    """

    name: str
    kind: str
    allowed: str
    default: str
    meaning: str


def list_keys() -> list[Key]:
    """Return every key, in the order of the sections."""
    return [key for section in sections_of().values() for key in _keys(section)]


def describe_sections() -> dict[str, str]:
    """Return section -> what it is about, in a line."""
    return {name: (inspect.getdoc(kind) or "").split("\n")[0] for name, kind in sections_of().items()}


def _keys(section: type[Section]) -> list[Key]:
    meanings, defaults = _meanings(section), dataclasses.asdict(section())
    return [
        Key(
            name=f"{section.section}.{name}",
            kind=describe_hint(hint),
            allowed="; ".join(rules_of(hint)),
            default=_toml(defaults[name]),
            meaning=meanings[name][0].upper() + meanings[name][1:],
        )
        for name, hint in hints_of(section).items()
    ]


def _meanings(section: type[Section]) -> dict[str, str]:
    """Return key -> the text that stands for it under "Attributes:" of the class's docstring."""
    text = (inspect.getdoc(section) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for line in textwrap.dedent(text).splitlines():
        if not line.startswith(" "):
            name, _, meaning = line.partition(": ")
            found[name] = meaning
        else:
            found[name] += f" {line.strip()}"
    return found


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{}" if not value else str(value)
    items = [_toml(v) for v in value] if isinstance(value, (list, tuple)) else None
    return f"[{', '.join(items)}]" if items is not None else tomli_w.dumps({"v": value}).partition("= ")[2].strip()
