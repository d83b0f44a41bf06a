"""Which class of one label map is which of another, so that a model of the first is scored on masks of the second.

A correspondence is many-to-one and stated whole: every class of the model's map has a class of the masks' map, or is
said to have none. What the masks' map knows beyond that cannot be scored; its pixels are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.errors import suggest
from desertseg.label_class import LabelClass, LabelError
from desertseg.labels import IGNORE_INDEX, LabelMap, load_labels
from desertseg.toml import TomlError, read_toml

NONE = "ignore"  # what a class without a counterpart is said to be
_KEYS = ("from", "to", "description", "merge", "classes")


class MappingError(LabelError):
    """A correspondence between two label maps that cannot be used."""


@dataclass(frozen=True)
class LabelMapping:
    """A correspondence. Classes are named; a class of `source` that is "ignore" has no counterpart.

    Args:
        source: the label map that a model predicts in.
        target: the label map of the masks to score on.
        classes: name in `source` -> name in `target`, or in `merge`, or "ignore"; each class of `source` stands once.
        merge: new name -> classes of `target` that are scored as one.
        description: one line for people.

    Raises:
        MappingError: a class that one of the maps has not, or that nothing is said of.
    """

    source: LabelMap
    target: LabelMap
    classes: Mapping[str, str]
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, members in self.merge.items():
            if not members:
                raise MappingError(f"{self} merges nothing into '{name}'; list classes of '{self.target.name}'")
            for member in members:
                _check_name(member, self.target.names, f"{self}: label map '{self.target.name}' has")
            if (name in self.target.names and name not in members) or name == NONE:
                raise MappingError(f"{self} merges into '{name}', which means something else; take another name")
        merged = [member for members in self.merge.values() for member in members]
        twice = next((m for m in merged if merged.count(m) > 1), None)
        if twice is not None:
            raise MappingError(f"{self} merges '{twice}' twice; keep one of them")
        for name, counterpart in self.classes.items():
            _check_name(name, self.source.names, f"{self}: label map '{self.source.name}' has")
            if counterpart in merged and counterpart not in self.merge:
                into = next(into for into, members in self.merge.items() if counterpart in members)
                raise MappingError(f"{self}: '{counterpart}' is merged into '{into}'; write {name} = \"{into}\"")
            if counterpart != NONE:
                known = (*self.target.names, *self.merge)
                _check_name(counterpart, known, f"{self}: {name} = '{counterpart}', but '{self.target.name}' has")
        missing = [name for name in self.source.names if name not in self.classes]
        if missing:
            raise MappingError(
                f"{self} says nothing of '{missing[0]}'; give it a class of '{self.target.name}', or \"{NONE}\""
            )
        if set(self.classes.values()) == {NONE}:
            raise MappingError(f"{self} ignores every class, so nothing can be scored; give one a counterpart")

    def __str__(self) -> str:
        return f"correspondence {self.source.name} -> {self.target.name}"

    @cached_property
    def scored(self) -> LabelMap:
        """The classes that are scored: those of `target` that have a counterpart, merged where said, in its order."""
        used = {name: members for name, members in self._groups.items() if name in self.classes.values()}
        return _regroup(self.target, used, self.target.name, self.target.description)

    @property
    def unscored(self) -> tuple[str, ...]:
        """The classes of `target` that no class of `source` means; their pixels are left out."""
        used = {m for name, members in self._groups.items() if name in self.classes.values() for m in members}
        return tuple(name for name in self.target.names if name not in used)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The classes of `source` without a counterpart; where a model answers so, it has missed."""
        return tuple(name for name in self.source.names if self.classes[name] == NONE)

    @cached_property
    def truth_table(self) -> np.ndarray:
        """uint8 (256,): index in `target` -> index in `scored`, 255 where there is none."""
        group_of = {member: name for name, members in self._groups.items() for member in members}
        return self._table(group_of[name] for name in self.target.names)

    def answer_table(self, labels: LabelMap) -> np.ndarray:
        """Return uint8 (256,): index in a model's own label map -> index in `scored`, 255 where there is none.

        Args:
            labels: the map of the model: `source`, or one whose classes are named as those of `scored`, such as
                `merged_source`.

        Raises:
            MappingError: another one.
        """
        if set(labels.names) == set(self.source.names):
            return self._table(self.classes[name] for name in labels.names)
        if set(labels.names) <= set(self.scored.names):
            return self._table(labels.names)
        strange = next(name for name in labels.names if name not in self.source.names)
        raise MappingError(
            f"{self} is not for label map '{labels.name}', whose class '{strange}' it does not know; give one whose "
            f"`from` is that map"
        )

    @cached_property
    def merged_source(self) -> LabelMap:
        """A label map for training on the masks of `source` with the classes of `scored`: raw ids are merged."""
        groups = {
            scored: tuple(name for name in self.source.names if self.classes[name] == scored)
            for scored in self.scored.names
        }
        text = f"the classes of {self.source.name} as {self.target.name} names them"
        return _regroup(self.source, groups, f"{self.source.name}_as_{self.target.name}", text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: the layout of the TOML file, the maps by name, and what is not scored."""
        return {
            "from": self.source.name,
            "to": self.target.name,
            "merge": {name: list(members) for name, members in self.merge.items()},
            "classes": dict(self.classes),
            "unscored": list(self.unscored),
            "unanswered": list(self.unanswered),
        }

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        """Scored or not: name -> the classes of `target` that it stands for, in the order of the first of each."""
        groups = {}
        for name in self.target.names:
            into = next((into for into, members in self.merge.items() if name in members), name)
            groups[into] = tuple(self.merge.get(into, (name,)))
        return groups

    def _table(self, names: Any) -> np.ndarray:
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for index, name in enumerate(names):
            if name in self.scored.names:
                table[index] = self.scored.names.index(name)
        return table


def _regroup(labels: LabelMap, groups: Mapping[str, tuple[str, ...]], name: str, description: str) -> LabelMap:
    """Return a map with the classes of `labels` joined into groups; what is in none is ignored.

    A group has all ids of its members, the colour of the first, and their cost if they agree on it.
    """
    of_name = {c.name: c for c in labels.classes}
    classes = []
    for group, members in groups.items():
        found = [of_name.pop(member) for member in members]
        cost = found[0].cost if len({c.cost for c in found}) == 1 else None
        classes.append(LabelClass(group, tuple(i for c in found for i in c.ids), found[0].color, cost))
    rest = [i for c in of_name.values() for i in c.ids]
    kept = {c.color for c in classes}
    further = tuple((c.color, c.ids[0]) for c in labels.classes if c.color not in kept)
    return LabelMap(
        name, tuple(classes), (*labels.ignore, *rest), labels.void, description, (*further, *labels.more_colors)
    )


def load_mapping(mapping: str | Path | LabelMapping) -> LabelMapping:
    """Return a correspondence from a TOML file, or itself.

    The file says `from` and `to`, shipped label maps or TOML files beside it, and below `[classes]` for each class of
    `from` the class of `to` that it is, or "ignore". Below `[merge]` classes of `to` can be made one.

    Raises:
        MappingError: no such file, or one that is no correspondence.
    """
    if isinstance(mapping, LabelMapping):
        return mapping
    path, source = Path(mapping), f"correspondence {mapping}"
    try:
        data = read_toml(path)
    except TomlError as error:
        raise MappingError(f"{source} cannot be read as TOML: {error}; make one with `desertseg labels map`") from error
    unknown = next((key for key in data if key not in _KEYS), None)
    if unknown is not None:
        raise MappingError(f"{source}: unknown key {unknown!r}{suggest(unknown, _KEYS)}; keys are {', '.join(_KEYS)}")
    maps = [_load_side(data.get(side), side, path, source) for side in ("from", "to")]
    classes, merge = data.get("classes"), data.get("merge", {})
    if not isinstance(classes, dict) or not all(isinstance(v, str) for v in classes.values()):
        raise MappingError(f'{source}: below [classes] each class of `from` has one class of `to`, or "{NONE}"')
    if not isinstance(merge, dict) or not all(_is_names(members) for members in merge.values()):
        raise MappingError(f"{source}: below [merge] each new name has a list of classes of `to`")
    merged = {name: tuple(members) for name, members in merge.items()}
    try:
        return LabelMapping(maps[0], maps[1], classes, merged, str(data.get("description", "")))
    except LabelError as error:
        raise MappingError(f"{source}: {error}") from error


def _load_side(labels: Any, side: str, path: Path, source: str) -> LabelMap:
    if not isinstance(labels, str):
        raise MappingError(f"{source}: `{side}` is {labels!r}; it is a label map, a shipped name or a TOML file")
    beside = path.parent / labels
    try:
        return load_labels(beside if labels.endswith(".toml") else labels)
    except LabelError as error:
        raise MappingError(f"{source}: `{side}`: {error}") from error


def _is_names(members: Any) -> bool:
    return isinstance(members, list) and all(isinstance(member, str) for member in members)


def _check_name(name: str, known: tuple[str, ...], have: str) -> None:
    if name not in known:
        raise MappingError(f"{have} no class '{name}'{suggest(name, known)}; it has {', '.join(known)}")
