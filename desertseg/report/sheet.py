"""A contact sheet: frames in rows, pictures of them in columns, each with its labels and a few words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.report.lettering import SOFT, draw_line_key, new_paper, write

_GAP = 6
_TITLE = 24
_KEY_SIZE = 0.42  # of its letters


@dataclass(frozen=True)
class Tile:
    """One picture of the sheet: uint8 (H, W, 3) RGB, its labels uint8 (H, W) with 255 = ignore, lines of text."""

    image: np.ndarray
    labels: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A title, and one tile a frame."""

    title: str
    tiles: Sequence[Tile]


def draw_sheet(columns: Sequence[Column], label_map: LabelMap, *, width: int = 320, per_row: int = 7) -> np.ndarray:
    """Return uint8 (H, W, 3) RGB: the columns side by side, with a legend of the classes at the end.

    Args:
        columns: at least one; all have the same number of tiles of one size. The first is repeated at the left of each
            block where there are more than fit side by side.
        label_map: gives colours and names.
        width: of a picture in the sheet, in pixels; larger ones are reduced to it.
        per_row: columns side by side.
    """
    first, rest = columns[0], columns[1:]
    width = min(width, first.tiles[0].labels.shape[1])
    step = max(1, per_row - 1)
    blocks = [[first, *rest[i : i + step]] for i in range(0, max(1, len(rest)), step)]
    drawn = [np.hstack([_draw_column(column, label_map, width) for column in block]) for block in blocks]
    across = max(block.shape[1] for block in drawn)
    legend = _draw_legend(label_map, [t.labels for c in columns for t in c.tiles], across)
    return np.vstack([*(_fill(block, across) for block in drawn), legend])


def _draw_column(column: Column, label_map: LabelMap, width: int) -> np.ndarray:
    title = new_paper(_TITLE, width + _GAP)
    write(title, column.title, (2, 17), 0.5)
    return np.vstack([title, *(_draw_tile(tile, label_map, width) for tile in column.tiles)])


def _draw_tile(tile: Tile, label_map: LabelMap, width: int) -> np.ndarray:
    """The picture, below it at half its size the labels laid over it, and the notes beside that."""
    height, native = tile.labels.shape
    height = round(height * width / native)
    image = cv2.resize(tile.image, (width, height), interpolation=cv2.INTER_AREA)
    half = width // 2, height // 2
    labels = cv2.resize(tile.labels, half, interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(tile.image, half, interpolation=cv2.INTER_AREA)
    laid = cv2.addWeighted(small, 0.3, label_map.colorize(labels), 0.7, 0)
    laid[labels == IGNORE_INDEX] = 0
    cell = new_paper(height + half[1] + 2 * _GAP, width + _GAP)
    cell[:height, :width] = image
    cell[height + 2 : height + 2 + half[1], : half[0]] = laid
    lines = max(1, half[1] // 13)
    each = -(-len(tile.notes) // lines)
    for line, start in enumerate(range(0, len(tile.notes), max(1, each))):
        text = ", ".join(tile.notes[start : start + each])
        write(cell, text, (half[0] + 5, height + 14 + 13 * line), 0.36, SOFT)
    return cell


def _draw_legend(label_map: LabelMap, labels: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Return the swatches and names of the classes that occur, in as many lines as they need."""
    present = sorted(set().union(*(set(np.unique(array).tolist()) for array in labels)) - {IGNORE_INDEX})
    names = [(label_map.names[i], label_map.classes[i].color) for i in present]
    names.append(("outside or ignored", (0, 0, 0)))
    return draw_line_key(names, width, _KEY_SIZE)


def _fill(picture: np.ndarray, width: int) -> np.ndarray:
    return np.hstack([picture, new_paper(picture.shape[0], width - picture.shape[1])])
