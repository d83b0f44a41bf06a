"""A contact sheet of a data set: under each heading frames, each with its mask and the mask laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.report.lettering import SOFT, Color, draw_line_key, measure, new_paper, write

_GAP, _LINE, _HEAD = 8, 17, 30  # pixels between pictures, of a caption, of a heading
_SEEN = 0.04  # of a small pixel, from which on a class is shown there: a log of three pixels must not vanish
_DIMMED = 0.45  # brightness of what is not of the class


@dataclass(frozen=True)
class Shot:
    """A frame: uint8 RGB (H, W, 3), its labels uint8 (H, W) with 255 = ignore or None, and a line of text."""

    image: np.ndarray
    labels: np.ndarray | None
    caption: str = ""


@dataclass(frozen=True)
class Group:
    """Shots under a heading.

    Attributes:
        title: in bold.
        note: beside it.
        shots: any number.
        index: of the class that the third picture brings out; None shows all classes there.
    """

    title: str
    note: str
    shots: Sequence[Shot]
    index: int | None = None


def draw_contact(
    groups: Sequence[Group], label_map: LabelMap, *, width: int = 256, across: int = 2, remark: str = ""
) -> np.ndarray:
    """Return uint8 (H, W, 3) RGB: the groups below each other, and a key to the classes' colours.

    Args:
        groups: at least one.
        label_map: gives colours and names.
        width: of a picture in pixels; its height follows from the first frame, others are fitted in with borders.
        across: frames side by side, each of three pictures.
        remark: a line at the end.
    """
    first = next(shot.image for group in groups for shot in group.shots)
    size = max(1, round(first.shape[0] * width / first.shape[1])), width
    total = across * (3 * width + 2 + _GAP) + _GAP
    rows: list[np.ndarray] = []
    present: set[int] = set()
    for group in groups:
        rows.append(_draw_heading(group, label_map, total))
        rows += [
            _draw_row(group.shots[start : start + across], group.index, label_map, size, total)
            for start in range(0, len(group.shots), across)
        ]
        present |= {int(i) for s in group.shots if s.labels is not None for i in np.unique(s.labels)}
    entries = [(label_map.names[i], label_map.classes[i].color) for i in sorted(present - {IGNORE_INDEX})]
    black: Color = (0, 0, 0)
    rows.append(draw_line_key([*entries, *([("ignored", black)] if IGNORE_INDEX in present else [])], total, 0.45))
    if remark:
        rows.append(new_paper(_HEAD, total))
        write(rows[-1], remark, (_GAP, 18), 0.45, SOFT)
    return np.vstack(rows)


def _draw_heading(group: Group, label_map: LabelMap, total: int) -> np.ndarray:
    heading = new_paper(_HEAD, total)
    left = _GAP
    if group.index is not None:
        cv2.rectangle(heading, (left, 8), (left + 16, 24), label_map.classes[group.index].color, -1)
        cv2.rectangle(heading, (left, 8), (left + 16, 24), SOFT, 1)
        left += 24
    write(heading, group.title, (left, 22), 0.6)
    write(heading, group.note, (left + measure(group.title, 0.6) + 14, 22), 0.45, SOFT)
    return heading


def _draw_row(
    shots: Sequence[Shot], index: int | None, label_map: LabelMap, size: tuple[int, int], total: int
) -> np.ndarray:
    row = new_paper(size[0] + _LINE + _GAP, total)
    for place, shot in enumerate(shots):
        left = _GAP + place * (3 * size[1] + 2 + _GAP)
        for number, picture in enumerate(_draw_shot(shot, index, label_map, size)):
            start = left + number * (size[1] + 1)
            row[: size[0], start : start + size[1]] = picture
        write(row, shot.caption, (left, size[0] + 13), 0.42, SOFT)
    return row


def _draw_shot(
    shot: Shot, index: int | None, label_map: LabelMap, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frame, its mask in colours, and the mask laid over it; gray where there is none."""
    scale = min(size[0] / shot.image.shape[0], size[1] / shot.image.shape[1])
    height, width = (max(1, round(n * scale)) for n in shot.image.shape[:2])
    small = cv2.resize(shot.image, (width, height), interpolation=cv2.INTER_AREA)
    if shot.labels is None:
        empty = np.full_like(small, 200)
        write(empty, "no mask", (8, 20), 0.45, SOFT)
        return _centre(small, size), _centre(empty, size), _centre(empty, size)
    labels = cv2.resize(shot.labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    colors = label_map.colorize(labels)
    if index is None:  # without the borders of `draw_overlay`, which at this size hide what they surround
        laid = cv2.addWeighted(small, 0.5, colors, 0.5, 0)
        laid[labels == IGNORE_INDEX] = small[labels == IGNORE_INDEX]
    else:
        laid = _bring_out(small, shot.labels, index, label_map)
    return _centre(small, size), _centre(colors, size), _centre(laid, size)


def _bring_out(small: np.ndarray, labels: np.ndarray, index: int, label_map: LabelMap) -> np.ndarray:
    """Return the frame in dim gray, with one class in its colour wherever it is, however little."""
    there = cv2.resize((labels == index).astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_AREA) > _SEEN
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    laid = cv2.cvtColor(cv2.convertScaleAbs(gray, alpha=_DIMMED), cv2.COLOR_GRAY2RGB)
    color = np.array(label_map.classes[index].color, np.float32)
    bright = color + max(0.0, 150 - float(color.max()))  # dark colours would drown in the dim frame
    laid[there] = (0.75 * bright + 0.25 * small[there]).clip(0, 255).astype(np.uint8)
    return laid


def _centre(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture in the middle of a gray one of `size`."""
    if picture.shape[:2] == size:
        return picture
    canvas = np.full((*size, 3), 225, np.uint8)
    top, left = (size[0] - picture.shape[0]) // 2, (size[1] - picture.shape[1]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas
