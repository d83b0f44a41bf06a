"""A label map for masks that have none: drafted from the ids or colours in them, for a person to finish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from desertseg.colors import pack_colors
from desertseg.damage import recognise_damage
from desertseg.data.ahead import map_ahead
from desertseg.data.errors import DataError
from desertseg.data.folders import find_frames, find_images
from desertseg.data.read import as_gray, read_stored
from desertseg.errors import UserError
from desertseg.labels import LabelMap, available_labels, load_labels
from desertseg.toml import quote

Color = tuple[int, int, int]
MOST = 253  # classes of a label map
_VOIDS = (0, 255, 65535)  # tried in this order for the id that is written where there is no class
_NO_LABEL = (0, 255)  # ids that often mean so


@dataclass(frozen=True)
class Found:
    """What masks hold.

    Attributes:
        pixels, masks: raw id -> how many pixels and how many masks have it; of colour-coded masks the ids are 1, 2 ...
        colors: raw id -> its colour where masks are colour-coded or have a palette, else nothing.
        kind: "ids", "palette" or "colors".
        total: masks that were read.
        failures: (mask, why) of those that were not.
    """

    pixels: dict[int, int]
    masks: dict[int, int]
    colors: dict[int, Color]
    kind: str
    total: int
    failures: tuple[tuple[Path, str], ...] = ()

    @property
    def ids(self) -> list[int]:
        return sorted(self.pixels)


def find_masks(folder: str | Path) -> list[Path]:
    """Return the masks of a data folder, or the images in a folder that holds nothing but masks.

    Raises:
        DataError: there are none.
    """
    try:
        masks = [frame.mask for frame in find_frames(folder, masks=False) if frame.mask]
    except DataError:
        if not Path(folder).is_dir():
            raise
        masks = []
    return masks or find_images([folder])


def count_ids(masks: Sequence[Path], advance: Callable[[], None] = lambda: None) -> Found:
    """Return what masks hold.

    Args:
        masks: files of one kind: ids, palettes or colours.
        advance: called after each.

    Raises:
        DataError: none can be read, they are of several kinds, or they hold more than a label map can have.
    """
    pixels: Counter[tuple[str, int]] = Counter()
    holding: Counter[tuple[str, int]] = Counter()
    palette: dict[int, Color] = {}
    failures, read = [], 0
    for path, counted in map_ahead(_count, masks):
        advance()
        if isinstance(counted, UserError):
            failures.append((path, str(counted)))
            continue
        kind, values, counts, colors = counted
        palette |= colors
        keys = [(kind, value) for value in values]
        pixels.update(dict(zip(keys, counts, strict=True)))
        holding.update(keys)
        read += 1
        _refuse_many(pixels, path)
    if not read:
        raise DataError(f"none of {len(masks)} masks can be read: {failures[0][1]}")
    kinds = {kind for kind, _ in pixels}
    if kinds == {"ids", "colors"}:  # gray frames of colour-coded masks, such as those that are all black
        pixels, holding = (Counter({_as_color(key): n for key, n in c.items()}) for c in (pixels, holding))
        kinds = {"colors"}
    if len(kinds) > 1:
        raise DataError(f"the masks are of several kinds, {' and '.join(sorted(kinds))}; give those of one kind")
    return _summarise(kinds.pop(), pixels, holding, palette, read, tuple(failures))


def _count(path: Path) -> tuple[str, list[int], list[int], dict[int, Color]]:
    """Return (kind, the values in a mask, how many pixels each has, the colours of palette indices)."""
    stored, palette = read_stored(path)
    if palette is not None:
        values, counts = np.unique(stored, return_counts=True)
        colors = {int(v): tuple(palette[v].tolist()) for v in values if v < len(palette)}
        return "palette", values.tolist(), counts.tolist(), colors
    gray = as_gray(stored)
    if gray is None:
        if stored.dtype != np.uint8:
            raise DataError(f"mask {path} is a colour image of {stored.dtype}; expected ids, or colours of 8 bits")
        values, counts = np.unique(pack_colors(stored[..., 2::-1]), return_counts=True)
        return "colors", values.tolist(), counts.tolist(), {}
    if gray.dtype not in (np.uint8, np.uint16):
        raise DataError(f"mask {path} holds {gray.dtype} values; expected whole numbers of 8 or 16 bits")
    counts = np.bincount(gray.ravel())
    values = np.flatnonzero(counts)
    return "ids", values.tolist(), counts[values].tolist(), {}


def _refuse_many(found: Counter[tuple[str, int]], path: Path) -> None:
    if len(found) <= MOST:
        return
    colors = any(kind == "colors" for kind, _ in found)
    cause = "shades of resized or compressed masks" if colors else "numbers of instances or depths, or a resized mask"
    raise DataError(
        f"the masks up to {path} hold {len(found):,} different {'colours' if colors else 'ids'}, and a label map has "
        f"at most {MOST} classes; these may be {cause}: give the original class masks"
    )


def _as_color(key: tuple[str, int]) -> tuple[str, int]:
    kind, value = key
    return ("colors", value << 16 | value << 8 | value) if kind == "ids" else key


def _summarise(
    kind: str,
    pixels: Counter[tuple[str, int]],
    holding: Counter[tuple[str, int]],
    palette: dict[int, Color],
    total: int,
    failures: tuple[tuple[Path, str], ...],
) -> Found:
    values = sorted({value for _, value in pixels})
    if kind == "colors":  # black is often no label: it keeps 0, the others are counted
        ids = {value: 0 if value == 0 else number for number, value in enumerate(values, start=values[0] != 0)}
        palette = {ids[v]: (v >> 16, v >> 8 & 255, v & 255) for v in values}
    else:
        ids = {value: value for value in values}
    distinct = len(set(palette.values())) == len(values)
    return Found(
        pixels={ids[v]: pixels[kind, v] for v in values},
        masks={ids[v]: holding[kind, v] for v in values},
        colors=palette if distinct else {},
        kind=kind,
        total=total,
        failures=failures,
    )


def draft_labels(found: Found, name: str, source: str) -> str:
    """Return a label map as commented TOML, valid as it stands: a class for each id, to be named and merged by hand."""
    ids = found.ids
    void = next((v for v in _VOIDS if v not in ids), None)
    void = next(v for v in range(1 << 16) if v not in ids) if void is None else void
    what = {"ids": "raw ids", "palette": "palette indices", "colors": "colours"}[found.kind]
    lines = [f"# Drafted from {found.total:,} masks in {source}, which hold {len(ids)} {what}.", "#"]
    lines += [f"# {line}" for line in _advice(found)]
    lines += [
        f"name = {quote(name)}",
        'description = ""',
        "ignore = []  # raw ids that count neither in the loss nor in the score",
        f"void = {void}  # written where a prediction has no class; no mask holds it",
    ]
    colors = found.colors or dict(zip(ids, distinct_colors(len(ids)), strict=True))
    whole = sum(found.pixels.values())
    for raw in ids:
        share, masks = _share(found.pixels[raw] / whole), f"{found.masks[raw]:,} of {found.total:,} masks"
        lines += ["", f"# {share} of the pixels, in {masks}"]
        lines += [f"# {remark}" for remark in _remarks(found, raw)]
        lines += ["[[classes]]", f"name = {quote(f'class {raw}')}", f"ids = [{raw}]"]
        lines += [f"color = {list(colors[raw])}", "# cost = 50  # of driving there: 0 free, 100 an obstacle"]
    return "\n".join(lines) + "\n"


def matching_labels(found: Found) -> list[str]:
    """Return the shipped label maps that define or ignore every id that was found."""
    if found.kind == "colors":
        return [name for name in available_labels() if set(found.colors.values()) <= _colors_of(load_labels(name))]
    return [name for name in available_labels() if load_labels(name).knows(np.array(found.ids))]


def suspect_damage(found: Found) -> str | None:
    """Return what a known mistake seems to have done to the ids of a shipped label map, None if nothing is suspect."""
    ids = np.array(found.ids)
    if found.kind != "ids" or ids.max() > 255 or ids.max() < 2 * len(ids):  # class indices lie close together
        return None
    for name in available_labels():
        labels = load_labels(name)
        cause = recognise_damage(ids, np.array([i for c in labels.classes for i in c.ids]), 0)
        if cause:
            return f"of label map '{name}' {cause}"
    return None


def _colors_of(labels: LabelMap) -> set[Color]:
    return {c.color for c in labels.classes} | ({(0, 0, 0)} if labels.void in labels.ignore else set())


def _advice(found: Found) -> list[str]:
    lines = ["Name the classes. To merge raw ids, write them into one class and delete the other: ids = [100, 200]"]
    lines += ["Where an id means 'no label', delete its class and write the id under ignore."]
    if found.kind == "colors":
        lines += ["The masks are read by these colours; raw ids are what predictions are written with. Of a class that"]
        lines += ["is merged or ignored keep the colour: [[colors]], and below it color = [1, 2, 3] and id = 4."]
    matching = matching_labels(found)
    if matching:
        lines += [f"Shipped maps that know all of them: {', '.join(matching)}; perhaps --labels {matching[0]}"]
    damage = suspect_damage(found)
    if damage:
        lines += [f"CAREFUL: {damage}."]
    if found.failures:
        lines += [f"{len(found.failures)} masks could not be read and are not counted."]
    return lines


def _remarks(found: Found, raw: int) -> list[str]:
    black = found.kind == "colors" and found.colors.get(raw) == (0, 0, 0)
    if black or (found.kind != "colors" and raw in _NO_LABEL):
        return [f"{'black' if black else raw} often means 'no label': then ignore = [{raw}], and delete this class"]
    return []


def _share(value: float) -> str:
    return f"{100 * value:.2f} %" if value >= 0.0001 else "less than 0.01 %"


def distinct_colors(count: int) -> list[Color]:
    """Return colours that are told apart as well as can be: each is the farthest from those before it, in CIE Lab."""
    steps = np.linspace(24, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lab = cv2.cvtColor(grid.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    nearest = np.linalg.norm(lab - (0, 0, 0), axis=1)  # black shows what is ignored
    chosen = []
    for _ in range(count):
        best = int(np.argmax(nearest))
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[best], axis=1))
    red, green, blue = (grid[0, chosen, i].tolist() for i in range(3))
    return list(zip(red, green, blue, strict=True))


def describe_found(found: Found) -> Iterable[str]:
    """Yield a line for each id: its share of the pixels and of the masks."""
    whole = sum(found.pixels.values())
    for raw in found.ids:
        color = f"  {found.colors[raw]}" if raw in found.colors else ""
        yield f"{raw:>6}  {_share(found.pixels[raw] / whole):>16}  {found.masks[raw]:>6,} masks{color}"
