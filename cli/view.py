"""desertseg view"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from desertseg.cli.frames import choose_labels

from desertseg.errors import UserError, suggest

if TYPE_CHECKING:
    import numpy as np

    from desertseg.data.folders import Frame
    from desertseg.labels import LabelMap
    from desertseg.report.contact import Group

_MOST = 80  # headings on a sheet
_SUFFIXES = (".png", ".jpg", ".jpeg")


@click.command()
@click.argument("data", metavar="DIR")
@click.option(
    "--out", required=True, metavar="FILE", help="The picture to write, .png or .jpg; an older one is replaced."
)
@click.option("--by", type=click.Choice(["class", "scene"]), default="class", show_default=True, help="The headings.")
@click.option("--frames", type=click.IntRange(1), default=4, show_default=True, help="Frames under a heading.")
@click.option("--only", metavar="NAMES", help="These classes or scenes: Logs,Rocks.")
@click.option("--split", default="all", show_default=True, help="train, val, test, all, or a list file.")
@click.option("--labels", metavar="MAP", help="A shipped label map or a TOML file. [default: as the layout tells]")
@click.option("--width", type=click.IntRange(32, 2000), default=256, show_default=True, help="Pixels of a picture.")
def view(
    data: str, out: str, by: str, frames: int, only: str | None, split: str, labels: str | None, width: int
) -> None:
    """Draw a contact sheet of frames, their masks, and the masks laid over them.

    By class: the frames that hold the most of it, from different places, and the class alone brought out in the third
    picture. By scene: frames from its beginning to its end; masks may be missing.

    \b
    Examples:
      desertseg view falcon --out sheet.png
      desertseg view falcon --out rare.png --only Logs,Flowers --frames 8 --width 400
      desertseg view falcon --out scenes.jpg --by scene --split val
    """
    from desertseg.data.folders import find_frames
    from desertseg.report.contact import draw_contact

    if Path(out).suffix.lower() not in _SUFFIXES:
        raise UserError(f"{out} is no picture's name; give one that ends in {' or '.join(_SUFFIXES[:2])}")
    label_map, note = choose_labels(labels, data)
    click.echo(note)
    found = find_frames(data, None if split == "all" else split, masks=by == "class")
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    plan, remark = (_by_class if by == "class" else _by_scene)(found, label_map, frames, names)
    failures: list[str] = []
    groups = [group for group in (_load(heading, found, label_map, failures) for heading in plan) if group.shots]
    if not groups:
        raise UserError(f"there is nothing to show: {failures[0] if failures else remark}")
    _write(out, draw_contact(groups, label_map, width=width, remark=remark))
    for reason in failures:
        click.echo(f"left out: {reason}", err=True)
    told = f"; {remark}" if remark else ""
    click.echo(f"Wrote {out}: {sum(len(g.shots) for g in groups)} frames under {len(groups)} headings{told}.")
    if failures:
        sys.exit(1)


_Heading = tuple[str, str, int | None, list[tuple[int, str]]]  # title, note, class, (place, caption) of each frame


def _by_class(
    found: Sequence[Frame], label_map: LabelMap, count: int, names: Sequence[str]
) -> tuple[list[_Heading], str]:
    from desertseg.data.selection import choose_rich
    from desertseg.data.statistics import index_classes
    from desertseg.terminal import progress_line

    _refuse_unknown(names, label_map.names, f"label map '{label_map.name}'")
    with progress_line("read masks", len(found), "masks") as line:
        counts = index_classes(found, label_map, progress=line.advance).counts
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    total = max(1, int(counts.sum()))
    plan: list[_Heading] = []
    absent = []
    for c, name in enumerate(label_map.names):
        if names and name not in names:
            continue
        if not counts[:, c].any():
            absent.append(name)
            continue
        part, holding = counts[:, c].sum() / total, int((counts[:, c] > 0).sum())
        note = f"{_percent(part)} of the pixels, in {holding:,} of {len(found):,} frames"
        chosen = [(i, f"{found[i].name}: {_percent(shares[i, c])}") for i in choose_rich(shares[:, c], count)]
        plan.append((name, note, c, chosen))
    return _limit(plan, f"absent: {', '.join(absent)}" if absent else "")


def _by_scene(
    found: Sequence[Frame], label_map: LabelMap, count: int, names: Sequence[str]
) -> tuple[list[_Heading], str]:
    from desertseg.data.selection import choose_spread

    scenes = choose_spread(found, count)
    _refuse_unknown(names, list(scenes), "the folder")
    sizes = {scene: sum(frame.scene == scene for frame in found) for scene in scenes}
    plan: list[_Heading] = [
        (scene or "(no name)", f"{sizes[scene]:,} frames", None, [(i, found[i].name) for i in places])
        for scene, places in scenes.items()
        if not names or scene in names
    ]
    return _limit(plan, "")


def _limit(plan: list[_Heading], remark: str) -> tuple[list[_Heading], str]:
    """Return at most as many headings as a sheet can have, evenly spread, and say how many there were."""
    if len(plan) <= _MOST:
        return plan, remark
    kept = [plan[i * (len(plan) - 1) // (_MOST - 1)] for i in range(_MOST)]
    told = f"{_MOST} of {len(plan)} are shown, --only chooses others"
    return kept, f"{told}; {remark}" if remark else told


def _refuse_unknown(names: Sequence[str], known: Sequence[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"--only: {where} has no '{name}'{suggest(name, known)}; it has {', '.join(known[:20])}")


def _load(heading: _Heading, found: Sequence[Frame], label_map: LabelMap, failures: list[str]) -> Group:
    from desertseg.data.read import read_image, read_pair
    from desertseg.report.contact import Group, Shot

    title, note, index, chosen = heading
    shots = []
    for place, caption in chosen:
        frame = found[place]
        try:
            if frame.mask:
                image, labels = read_pair(frame.image, frame.mask, label_map)
                shots.append(Shot(image, labels, caption))
            else:
                shots.append(Shot(read_image(frame.image), None, caption))
        except UserError as error:
            failures.append(str(error))
    return Group(title, note, shots, index)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _write(out: str, sheet: np.ndarray) -> None:
    from desertseg.data.read import write_png
    from desertseg.files import replacing

    if Path(out).suffix.lower() == ".png":
        write_png(out, sheet)
        return
    import cv2

    content = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    try:
        with replacing(out) as temporary:
            temporary.write_bytes(content.tobytes())
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}; choose another folder, or free space") from error
