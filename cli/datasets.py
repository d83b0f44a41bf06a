"""desertseg datasets"""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from desertseg.errors import plural

if TYPE_CHECKING:
    from desertseg.data.catalogue import Dataset

_WIDEST = 120
_ORDER = ("train", "val", "test")
_GLUE = "\xa0"  # no line is broken there


@click.command()
@click.argument("name", metavar="[NAME|DIR]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def datasets(name: str | None, as_json: bool) -> None:
    """List the data sets whose folders are understood as downloaded; show one; or tell what a folder is.

    \b
    Examples:
      desertseg datasets
      desertseg datasets rugd
      desertseg datasets ~/Downloads/Rellis-3D
    """
    from desertseg.data.catalogue import find_dataset, list_datasets

    if name is None:
        rows = list_datasets()
        click.echo(json.dumps([asdict(d) for d in rows], indent=1) if as_json else "\n".join(_list(rows)))
    elif os.path.isdir(os.path.expanduser(name)):
        told = _inspect(name)
        click.echo(json.dumps(told, indent=1) if as_json else "\n".join(_tell(told)))
    else:
        dataset = find_dataset(name)
        shown = json.dumps(asdict(dataset), indent=1) if as_json else "\n".join(_describe(dataset))
        click.echo(shown)


def _list(rows: list[Dataset]) -> list[str]:
    from desertseg.labels import load_labels

    wide = max(len(d.name) for d in rows)
    lines = [f"{'data set':<{wide}}  {'train':>6}  {'val':>5}  {'test':>5}  classes  what"]
    lines.append("-" * (len(lines[0]) + 64))
    for d in rows:
        counts = [str(d.frames.get(split, "-")) for split in ("train", "val", "test")]
        frames = f"{d.frames['total']} in all" if "total" in d.frames else "{:>6}  {:>5}  {:>5}".format(*counts)
        classes = str(load_labels(d.labels[0]).num_classes) if d.labels else "any"
        lines.append(f"{d.name:<{wide}}  {frames:>20}  {classes:>7}  {d.about}")
    lines += ["", "What is in one, its licence, where to get it, and its traps: desertseg datasets NAME"]
    return [*lines, "What a folder is: desertseg datasets DIR; whether it is sound: desertseg check DIR"]


def _describe(d: Dataset) -> list[str]:
    lines = [f"{d.title}: {d.about}", ""]
    lines += _field("masks", d.masks)
    lines += _field("frames", f"{_counts(d.frames)}; {d.size}" if d.frames else d.size)
    lines += _field("licence", d.licence)
    lines += _field("obtain", d.obtain) if d.obtain else []
    lines += ["", "folder", *(f"  {line}" for line in d.folder.splitlines())]
    lines += ["", *(line for note in d.notes for line in _wrap(note, "- ", "  "))]
    for name in d.labels:
        lines += ["", *_show_labels(name)]
    flag = "" if d.labels else " --labels MAP"
    return [
        *lines,
        "",
        f"Is a copy sound? desertseg check DIR{flag}; train: desertseg fit --data DIR{flag} --out runs/a",
    ]


def _show_labels(name: str) -> Iterator[str]:
    from desertseg.labels import load_labels

    labels = load_labels(name)
    yield from _wrap(f"--labels {name}: {labels.description}", "", "  ")
    classes = ", ".join(f"{c.name} {'+'.join(map(str, c.ids))}".replace(" ", _GLUE) for c in labels.classes)
    yield from _wrap(f"{classes}; ignored: {', '.join(map(str, labels.ignore)) or 'none'}", "  ", "  ")


def _field(name: str, text: str) -> list[str]:
    return _wrap(text, f"{name:<8}  ", " " * 10)


def _wrap(text: str, first: str, rest: str) -> list[str]:
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)
    wrapper = textwrap.TextWrapper(width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    wrapper.break_long_words = False
    return [line.replace(_GLUE, " ") for line in wrapper.wrap(text)]


def _counts(frames: dict[str, int]) -> str:
    return ", ".join(f"{count} {split if split != 'total' else 'in all'}" for split, count in frames.items())


def _inspect(folder: str) -> dict[str, Any]:
    """Return what a folder was recognised as, with the frames of each split and how many of them have masks."""
    from desertseg.data.catalogue import find_dataset
    from desertseg.data.folders import find_layout

    layout = find_layout(folder)
    splits = {}
    known = sorted(layout.splits, key=lambda split: (*_ORDER, split).index(split))
    for split in known or (("all",) if layout.uncut else ("train", "val")):
        frames = layout.frames(None if split == "all" else split, masks=False)
        splits[split] = {
            "frames": len(frames),
            "masks": sum(f.mask is not None for f in frames),
            "scenes": len({f.scene for f in frames}),
        }
    maps = find_dataset(layout.labels).labels if layout.labels else ()
    return {
        "folder": folder,
        "layout": layout.name,
        "labels": layout.labels,
        "other_labels": list(maps[1:]),
        "splits": splits,
        "cut": not layout.splits and not layout.uncut,
        "why_no_splits": "" if layout.splits else layout.uncut,
    }


def _tell(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['folder']} is laid out as: {told['layout']}"]
    if told["labels"]:
        other = "".join(f"; or --labels {name}" for name in told["other_labels"])
        lines.append(f"labels  {told['labels']}, unless you give another{other}")
    else:
        lines.append("labels  the layout does not tell; give --labels MAP, or falcon is taken")
    for split, n in told["splits"].items():
        lines.append(f"{split:<6}  {n['frames']} frames, {n['masks']} with a mask, in {plural(n['scenes'], 'scene')}")
    if told["cut"]:
        lines.append("It has no splits, so the last fifth of every scene is val.")
    lines += _wrap(f"No splits: {told['why_no_splits']}.", "", "  ") if told["why_no_splits"] else []
    name = told["labels"] if told["layout"] == "lists" else told["layout"]
    known = f"; about the data set: desertseg datasets {name}" if told["labels"] else ""
    return [*lines, f"Next: desertseg check {told['folder']}{known}"]
