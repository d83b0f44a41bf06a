"""Colours as numbers, and a table from each of them to a class: how a colour-coded mask is read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from desertseg.label_class import LabelError

Color = tuple[int, int, int]


def pack_colors(rgb: np.ndarray) -> np.ndarray:
    """Return uint8 RGB (..., 3) as one int32 a pixel."""
    rgb = rgb.astype(np.int32)
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


@lru_cache(maxsize=2)
def index_colors(
    colors: tuple[Color, ...], black: int, other: int, further: tuple[tuple[Color, int], ...] = ()
) -> np.ndarray:
    """Return the index of each of the 2^24 packed colours; 16 MB, so it is made only where colours are read.

    Args:
        colors: of the classes, in index order.
        black: what black gets if no class has it.
        other: what every other colour gets.
        further: other colours, each with its index.
    """
    table = np.full(1 << 24, other, np.uint8)
    table[0] = black
    table[pack_colors(np.array(colors, np.uint8))] = np.arange(len(colors))
    for color, index in further:
        table[pack_colors(np.array(color, np.uint8))] = index
    table.setflags(write=False)
    return table


def check_colors(colors: tuple[tuple[Color, int], ...], known: set[int], name: str) -> None:
    """Refuse further colours of label map `name` that are none, or that stand for an id outside of `known`.

    Raises:
        LabelError: always with the colour.
    """
    for color, raw in colors:
        if len(color) != 3 or not all(type(v) is int and 0 <= v <= 255 for v in color):
            raise LabelError(f"label map '{name}': colour {color} under colors is not three values in 0..255")
        if raw not in known:
            raise LabelError(
                f"label map '{name}': colour {color} stands for id {raw!r}, which no class has and ignore does not list"
            )


def explain_unknown_color(packed: np.ndarray, unknown: np.ndarray, source: str, name: str) -> str:
    """Return what is wrong with a mask of packed colours of which label map `name` does not know some."""
    key = int(packed[unknown][0])
    color = (key >> 16, key >> 8 & 255, key & 255)
    return (
        f"{source} holds colour {color} ({int((packed == key).sum()):,} pixels), which no class of label map '{name}' "
        "has; use the label map whose colours these are"
    )
