"""The data sets that are known by their layout: what is in each, how to read it, and where to get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources

from desertseg.data.errors import DataError
from desertseg.errors import suggest
from desertseg.files import list_shipped
from desertseg.toml import read_toml

_FOLDER = resources.files("desertseg") / "data" / "catalogue"
_FIRST, _LAST = "falcon", "folders"


@dataclass(frozen=True)
class Dataset:
    """A data set as its authors hand it out.

    Attributes:
        name: of the layout, as `find_layout(data).name`.
        title, about: for people.
        labels: the shipped label maps that read it; the first one is taken unless another is asked for.
        masks: how a mask is stored.
        size: width x height of a frame.
        frames: by split, or under "total".
        licence: as far as it is known.
        obtain: where to get it.
        folder: the layout, drawn.
        notes: what one has to know; traps.
    """

    name: str
    title: str
    about: str
    labels: tuple[str, ...]
    masks: str
    size: str
    frames: dict[str, int] = field(hash=False)
    licence: str
    obtain: str
    folder: str
    notes: tuple[str, ...]


def list_datasets() -> list[Dataset]:
    """Return the data sets that are known: Falcon, then the others by name, then anybody's own."""
    names = list_shipped(_FOLDER, ".toml")
    order = sorted(names, key=lambda name: (name == _LAST, name != _FIRST, name))
    return [find_dataset(name) for name in order]


def find_dataset(name: str) -> Dataset:
    """Return a data set by its name.

    Raises:
        DataError: no such data set.
    """
    names = list_shipped(_FOLDER, ".toml")
    if name not in names:
        raise DataError(f"no data set '{name}'{suggest(name, names)}; known are {', '.join(names)}")
    data = read_toml(_FOLDER / f"{name}.toml")
    data |= {"labels": tuple(data["labels"]), "notes": tuple(data["notes"]), "folder": data["folder"].strip("\n")}
    return Dataset(name=name, **data)
