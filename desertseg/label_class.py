"""One class of a label map: its name, raw ids, colour and traversability cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desertseg.errors import UserError

_LETHAL, _FREE = 80, 40  # from this cost on a class stops a vehicle; up to that one it can be driven on


class LabelError(UserError):
    """A mask or a label map that breaks the rules of `desertseg.labels`."""


@dataclass(frozen=True)
class LabelClass:
    """One class.

    Attributes:
        name: for people.
        ids: the raw ids that mean it; the first one is written back.
        color: RGB for display.
        cost: of driving there, 0 (free) to 100 (an obstacle); None where it is unknown or means nothing, as for a sky.
    """

    name: str
    ids: tuple[int, ...]
    color: tuple[int, int, int]
    cost: int | None = None

    @property
    def is_obstacle(self) -> bool:
        """Whether it stops a vehicle: a cost of 80 or more."""
        return self.cost is not None and self.cost >= _LETHAL

    @property
    def is_drivable(self) -> bool:
        """Whether a vehicle can drive on it: a cost of 40 or less."""
        return self.cost is not None and self.cost <= _FREE

    def check(self, where: str) -> None:
        """Refuse a class without a name or ids, or with a colour or cost out of range.

        Raises:
            LabelError: the message begins with `where`.
        """
        if not self.name.strip() or not self.name.isprintable():
            raise LabelError(f"{where}: {self.name!r} is no name of a class; it is one line of words")
        if not self.ids:
            raise LabelError(f"{where}: class '{self.name}' has no raw id; give it `ids = [..]`")
        if len(self.color) != 3 or not all(type(v) is int and 0 <= v <= 255 for v in self.color):
            raise LabelError(f"{where}: colour {self.color} of '{self.name}' is not three values in 0..255")
        if self.cost is not None and not (type(self.cost) is int and 0 <= self.cost <= 100):
            raise LabelError(f"{where}: cost {self.cost!r} of '{self.name}' is not a whole number in 0..100")

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, without a cost where there is none."""
        cost = {} if self.cost is None else {"cost": self.cost}
        return {"name": self.name, "ids": list(self.ids), "color": list(self.color), **cost}


def refuse_repeats(name: str, what: str, values: list) -> None:
    """Refuse values that stand twice in label map `name`.

    Raises:
        LabelError: always with the value.
    """
    repeats = sorted({v for v in values if values.count(v) > 1})
    if repeats:
        raise LabelError(f"label map '{name}': {what} {repeats[0]!r} stands more than once; keep one of them")
