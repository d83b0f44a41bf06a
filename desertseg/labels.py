"""Label maps: raw mask id <-> class index <-> name <-> colour, by look-up table.

A *mask* holds raw ids (Falcon's are 100 ... 10000); *labels* hold class indices 0 ... C-1 with 255 = ignore. The only
way from one to the other is a `LabelMap`, and an id that it neither defines nor ignores is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.colors import Color, check_colors, explain_unknown_color, index_colors, pack_colors
from desertseg.damage import recognise_damage
from desertseg.files import list_shipped
from desertseg.label_class import LabelClass, LabelError, refuse_repeats
from desertseg.toml import TomlError, read_toml

IGNORE_INDEX = 255
_UNKNOWN = 254  # marks an undefined id inside the look-up table; so at most 254 classes
_ID_LIMIT = 1 << 16
UNKNOWN_COST = 255
_KEYS = ("name", "description", "ignore", "void", "classes", "colors")
_CHUNK = 1 << 16  # NumPy widens indices to 8 bytes; by chunks that stays in the processor's cache


@dataclass(frozen=True)
class LabelMap:
    """A frozen label map. Class order is index order.

    Args:
        name: what messages and reports call it.
        classes: one `LabelClass` an index, 1 to 254 of them.
        ignore: raw ids that are read as ignore (255).
        void: raw id written where labels are 255; it is read only if it also stands under `ignore`.
        description: one line for people.
        more_colors: further colours of colour-coded masks, each with the raw id that it stands for.

    Raises:
        LabelError: an id, name, colour or cost is out of range or stands twice.
    """

    name: str
    classes: tuple[LabelClass, ...]
    ignore: tuple[int, ...] = ()
    void: int = 0
    description: str = field(default="", compare=False)
    more_colors: tuple[tuple[Color, int], ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < _UNKNOWN:
            raise LabelError(f"label map '{self.name}' has {len(self.classes)} classes; it needs 1 to {_UNKNOWN - 1}")
        refuse_repeats(self.name, "class name", [c.name for c in self.classes])
        refuse_repeats(self.name, "raw id", [*(i for c in self.classes for i in c.ids), *self.ignore])
        for c in self.classes:
            c.check(f"label map '{self.name}'")
        for raw in (*(i for c in self.classes for i in c.ids), *self.ignore, self.void):
            if type(raw) is not int or not 0 <= raw < _ID_LIMIT:
                raise LabelError(f"label map '{self.name}': raw id {raw!r} is not a whole number in 0..{_ID_LIMIT - 1}")
        if any(self.void in c.ids for c in self.classes):
            raise LabelError(f"label map '{self.name}': void id {self.void} is a class's id; choose one that is free")
        check_colors(self.more_colors, {*(i for c in self.classes for i in c.ids), *self.ignore}, self.name)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.classes)

    @property
    def ids(self) -> tuple[int, ...]:
        """The raw id that `decode` writes for each index."""
        return tuple(c.ids[0] for c in self.classes)

    @cached_property
    def colors(self) -> np.ndarray:
        """uint8 (C, 3) RGB, read-only."""
        colors = np.array([c.color for c in self.classes], np.uint8)
        colors.setflags(write=False)
        return colors

    @property
    def costs(self) -> tuple[int | None, ...]:
        """The traversability cost of each class, 0..100, None where unknown."""
        return tuple(c.cost for c in self.classes)

    @property
    def obstacles(self) -> tuple[int, ...]:
        """The indices of the classes that stop a vehicle: a cost of 80 or more."""
        return tuple(i for i, c in enumerate(self.classes) if c.is_obstacle)

    @property
    def drivable(self) -> tuple[int, ...]:
        """The indices of the classes that a vehicle can drive on: a cost of 40 or less."""
        return tuple(i for i, c in enumerate(self.classes) if c.is_drivable)

    @cached_property
    def _encode_table(self) -> np.ndarray:
        table = np.full(_ID_LIMIT, _UNKNOWN, np.uint8)
        table[list(self.ignore)] = IGNORE_INDEX
        for index, c in enumerate(self.classes):
            table[list(c.ids)] = index
        return table

    @cached_property
    def _decode_table(self) -> np.ndarray:
        table = np.full(256, self.void, np.uint16)
        table[: self.num_classes] = self.ids
        return table

    @cached_property
    def _color_table(self) -> np.ndarray:
        table = np.zeros((256, 3), np.uint8)
        table[: self.num_classes] = self.colors
        return table

    def knows(self, ids: np.ndarray) -> bool:
        """Whether every raw id in `ids` (integer array) is defined or ignored."""
        ids = np.asarray(ids)
        in_range = (ids >= 0) & (ids < _ID_LIMIT)
        return bool(in_range.all()) and not bool((self._encode_table[ids] == _UNKNOWN).any())

    def encode(self, mask: np.ndarray, source: str = "mask") -> np.ndarray:
        """Return the labels of a mask: uint8, same shape, class indices with 255 = ignore.

        Args:
            mask: integer array of raw ids, any shape.
            source: what an error calls it, usually `mask w0000009.png`.

        Raises:
            LabelError: an id that the map neither defines nor ignores; the message names it, its pixel count and,
                where it is recognised, the cause.
        """
        mask = np.asarray(mask)
        if mask.dtype.kind not in "ui":
            raise LabelError(f"{source} holds {mask.dtype} values; raw ids are integers, so read the file unchanged")
        if mask.dtype not in (np.uint8, np.uint16) and mask.size and not 0 <= mask.min() <= mask.max() < _ID_LIMIT:
            raise LabelError(f"{source} holds ids {mask.min()}..{mask.max()}; raw ids lie in 0..{_ID_LIMIT - 1}")
        ids, labels = mask.reshape(-1), np.empty(mask.size, np.uint8)
        for i in range(0, mask.size, _CHUNK):
            part = slice(i, i + _CHUNK)
            self._encode_table.take(ids[part], out=labels[part], mode="wrap")  # none is out of range
        unknown = labels == _UNKNOWN
        if unknown.any():
            raise LabelError(self._explain_unknown(ids, unknown, source))
        return labels.reshape(mask.shape)

    def encode_colors(self, rgb: np.ndarray, source: str = "mask") -> np.ndarray:
        """Return the labels of a colour-coded mask: uint8 (H, W), by exact match with the classes' colours.

        Args:
            rgb: uint8 (H, W, 3). Black is ignore if no class has that colour and the map ignores its void id.

        Raises:
            LabelError: a colour that no class has, two classes of one colour, or an array of another kind.
        """
        rgb = np.asarray(rgb)
        if rgb.dtype != np.uint8 or rgb.shape[-1:] != (3,):
            raise LabelError(f"{source} is {rgb.dtype} of shape {rgb.shape}; a colour-coded mask is uint8 (H, W, 3)")
        packed = pack_colors(rgb)
        labels = self.color_table().take(packed)
        unknown = labels == _UNKNOWN
        if unknown.any():
            raise LabelError(explain_unknown_color(packed, unknown, source, self.name))
        return labels

    def color_table(self) -> np.ndarray:
        """Return the index of each of the 2^24 packed colours, 255 = ignore, 254 = none of this map's.

        Raises:
            LabelError: two classes of one colour.
        """
        colors = tuple(c.color for c in self.classes)
        refuse_repeats(self.name, "colour", [*colors, *(color for color, _ in self.more_colors)])
        black = IGNORE_INDEX if self.void in self.ignore else _UNKNOWN
        more = tuple((color, int(self._encode_table[raw])) for color, raw in self.more_colors)
        return index_colors(colors, black, _UNKNOWN, more)

    def decode(self, labels: np.ndarray) -> np.ndarray:
        """Return the mask of labels: uint16 raw ids, same shape; 255 becomes the void id.

        Raises:
            LabelError: an index that is neither a class nor 255.
        """
        return self._decode_table[self._checked(labels)]

    def colorize(self, labels: np.ndarray) -> np.ndarray:
        """Return the colours of labels: uint8 (..., 3) RGB; 255 becomes black.

        Raises:
            LabelError: an index that is neither a class nor 255.
        """
        return self._color_table.take(self._checked(labels), axis=0)

    def cost_map(self, labels: np.ndarray) -> np.ndarray:
        """Return the traversability cost of labels: uint8, same shape, 0..100, 255 where it is unknown or ignored.

        Raises:
            LabelError: an index that is neither a class nor 255, or a map whose classes have no costs.
        """
        if all(cost is None for cost in self.costs):
            raise LabelError(f"label map '{self.name}' has no costs; give its classes `cost = 0..100` in its TOML file")
        table = np.full(256, UNKNOWN_COST, np.uint8)
        table[: self.num_classes] = [UNKNOWN_COST if cost is None else cost for cost in self.costs]
        return table[self._checked(labels)]

    def _checked(self, labels: np.ndarray) -> np.ndarray:
        labels = np.asarray(labels)
        bad = (labels >= self.num_classes) & (labels != IGNORE_INDEX) | (labels < 0)
        if bad.any():
            raise LabelError(
                f"labels hold index {labels[bad][0]}; label map '{self.name}' has 0..{self.num_classes - 1} and "
                f"{IGNORE_INDEX} for ignore"
            )
        return labels

    def _explain_unknown(self, mask: np.ndarray, unknown: np.ndarray, source: str) -> str:
        ids, counts = np.unique(mask[unknown], return_counts=True)
        worst = int(np.argmax(counts))
        more = f" and {len(ids) - 1} more unknown ids" if len(ids) > 1 else ""
        found = f"{source} holds id {ids[worst]} ({counts[worst]:,} pixels){more}, which label map '{self.name}' "
        defined = np.array([i for c in self.classes for i in c.ids])
        cause = recognise_damage(np.unique(mask), defined, self.num_classes)
        if cause:
            return f"{found}does not define: {cause}"
        others = [n for n in available_labels() if n != self.name and load_labels(n).knows(np.unique(mask))]
        use = f"use --labels {others[0]}, or " if others else "use the label map of this data set, or "
        return f"{found}does not define; {use}list {ids[worst]} under ignore"

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings: the layout of the TOML files and of a saved model's config."""
        return {
            "name": self.name,
            "description": self.description,
            "ignore": list(self.ignore),
            "void": self.void,
            "classes": [c.to_dict() for c in self.classes],
            **({"colors": [{"color": list(c), "id": i} for c, i in self.more_colors]} if self.more_colors else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "label map") -> LabelMap:
        """Return the map that `to_dict` described.

        Raises:
            LabelError: a key is missing, unknown or of the wrong type; the message names `source`.
        """
        unknown = set(data) - set(_KEYS)
        if unknown:
            raise LabelError(f"{source}: unknown key {sorted(unknown)[0]!r}; keys are {', '.join(_KEYS)}")
        try:
            classes = tuple(
                LabelClass(str(c["name"]), tuple(c["ids"]), tuple(c["color"]), c.get("cost")) for c in data["classes"]
            )
            ignore, void = tuple(data.get("ignore", ())), data.get("void", 0)
            colors = tuple((tuple(c["color"]), c["id"]) for c in data.get("colors", ()))
            return cls(str(data["name"]), classes, ignore, void, str(data.get("description", "")), colors)
        except KeyError as error:
            raise LabelError(
                f"{source}: key {error} is missing; a map needs name and classes, a class name, ids and color"
            ) from error
        except (TypeError, AttributeError) as error:
            raise LabelError(f"{source}: {error}; see the shipped label maps for the layout") from error


def available_labels() -> list[str]:
    """Return the names of the shipped label maps, sorted."""
    return list_shipped(resources.files("desertseg") / "labelsets", ".toml")


def load_labels(labels: str | Path | LabelMap) -> LabelMap:
    """Return a label map from a shipped name ("falcon"), the path of a TOML file, or itself.

    Raises:
        LabelError: no such name or file, or a file that is not a label map.
    """
    if isinstance(labels, LabelMap):
        return labels
    path: Any = Path(labels)
    if path.suffix != ".toml":
        if str(labels) not in available_labels():
            raise LabelError(
                f"no label map '{labels}'; shipped are {', '.join(available_labels())}, or give a TOML file"
            )
        path = resources.files("desertseg") / "labelsets" / f"{labels}.toml"
    try:
        data = read_toml(path)
    except TomlError as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        shipped = f"does not exist; shipped are {', '.join(available_labels())}"
        raise LabelError(f"label map {labels} {shipped if missing else f'cannot be read as TOML: {error}'}") from error
    return LabelMap.from_dict(data, source=str(labels))
