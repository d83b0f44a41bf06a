"""What a report says, before it is HTML or Markdown: parts of sections of blocks, all plain text, nothing escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

Color = tuple[int, int, int]
NONE = "–"


@dataclass(frozen=True)
class Bar:
    """A value in 0..1 as a bar in a colour, with a whisker from `low` to `high` where they are known."""

    value: float
    color: Color
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: what it says.
        note: said below it, smaller.
        color: of a swatch before the text.
        heat: 0..1, how dark the cell is.
        alarm: the heat is of something bad.
        bar: drawn instead of the text, which then must stand in another cell.
        strong: set in bold.
        target: key of the part that it leads to.
    """

    text: str = ""
    note: str = ""
    color: Color | None = None
    heat: float | None = None
    alarm: bool = False
    bar: Bar | None = None
    strong: bool = False
    target: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title; numbers stand right, words left."""

    title: str
    number: bool = True
    color: Color | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first one of each being its heading; `dense` for many columns of short numbers."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    dense: bool = False


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str


@dataclass(frozen=True)
class Code:
    """Lines as they were typed or filed, `columns` side by side where there is room."""

    kind: ClassVar[str] = "code"
    caption: str
    text: str
    columns: int = 1


@dataclass(frozen=True)
class Facts:
    """Names and what they are; the caption is shown where `titled`, else it is for those who do not see the page."""

    kind: ClassVar[str] = "facts"
    caption: str
    rows: Sequence[tuple[str, str]]
    titled: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture file: `alt` for those who do not see it, `caption` for all; `small` for no more than half the width."""

    kind: ClassVar[str] = "picture"
    path: Path
    alt: str
    caption: str = ""
    small: bool = False


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side under a heading with a swatch; all but the first few are folded away."""

    kind: ClassVar[str] = "gallery"
    title: str
    note: str
    pictures: Sequence[Picture]
    color: Color | None = None


@dataclass(frozen=True)
class Headline:
    """The number that counts: its name, what it is a mean of, and how sure it is.

    Args:
        value: as text.
        name: of the number.
        definition: what it is.
        intervals: (what was drawn again, interval as text).
        asides: (value, name, note) of the numbers beside it.
    """

    kind: ClassVar[str] = "headline"
    value: str
    name: str
    definition: str
    intervals: Sequence[tuple[str, str]] = ()
    asides: Sequence[tuple[str, str, str]] = ()


Block = Table | Prose | Code | Facts | Picture | Gallery | Headline


@dataclass(frozen=True)
class Section:
    """A title, a key that is unique within its part, and blocks."""

    title: str
    key: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Part:
    """Sections under a title; `lead` stands before the first of them."""

    title: str
    key: str
    sections: Sequence[Section]
    lead: Sequence[Block] = ()
    note: str = ""


@dataclass(frozen=True)
class Document:
    """A report: its title, a line below it, and parts."""

    title: str
    subtitle: str
    parts: Sequence[Part]
    lead: Sequence[Block] = ()


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals, a dash for none."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage, a dash for none."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def share(value: float | None) -> str:
    """Return a share as a percentage that tells a rare class from an absent one."""
    if value is None or value == 0:
        return NONE if value is None else "0 %"
    return "< 0.001 %" if value < 1e-5 else percent(value, 3 if value < 0.001 else 2)


def count(value: float | None) -> str:
    """Return a whole number with thousands set apart, a dash for none."""
    return NONE if value is None else f"{int(value):,}"


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Return "low–high", a dash for none."""
    return NONE if not bounds else f"{bounds[0]:.{digits}f}–{bounds[1]:.{digits}f}"


def sentence(text: str) -> str:
    """Return a definition as a sentence: it begins with a capital unless its first word has one inside, and ends."""
    text = text.strip()
    first = text.split(maxsplit=1)[0] if text else ""
    begun = text[:1].upper() + text[1:] if first == first.lower() else text
    return begun if begun.endswith((".", "!", "?")) or not begun else f"{begun}."
