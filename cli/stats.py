"""desertseg stats"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from desertseg.cli.frames import choose_labels
from desertseg.cli.options import overwrite_option

from desertseg.errors import UserError
from desertseg.files import check_folder, write_text

if TYPE_CHECKING:
    from desertseg.data.summary import Summary
    from desertseg.labels import LabelMap


@click.command()
@click.argument("data", nargs=-1, required=True, metavar="DIR [DIR2]")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="train, val, test, all or a list file; twice for two sides.",
)
@click.option("--labels", metavar="MAP", help="A shipped label map or a TOML file. [default: as the layout tells]")
@click.option("--out", metavar="DIR", help="Folder to make: a page, pictures, stats.json. [default: none]")
@click.option("--json", "json_file", metavar="FILE", help="Write the numbers as JSON.")
@overwrite_option
def stats(
    data: tuple[str, ...],
    splits: tuple[str, ...],
    labels: str | None,
    out: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Tell what is in a data set: its classes, scenes, regions, colours and class weights; or two side by side.

    Counts pixels at the masks' own resolution. A frame that cannot be read is left out and reported; the exit code is
    then 1.

    \b
    Examples:
      desertseg stats falcon --out stats
      desertseg stats falcon --split train --split val
      desertseg stats falcon/train mojave --out difference
    """
    sides = _pair_sides(data, splits)
    if out:
        check_folder(out, overwrite)
    label_map, note = choose_labels(labels, *dict.fromkeys(folder for folder, _ in sides))
    click.echo(note)
    from desertseg.data.insights import describe_summary, merge_values
    from desertseg.data.regions import bin_edges
    from desertseg.report.summary import summary_lines

    counted = [_count(folder, split, label_map) for folder, split in sides]
    named = [
        {"title": _title(sides, i), "folder": folder, "split": split, **describe_summary(summary, label_map)}
        for i, ((folder, split), summary) in enumerate(zip(sides, counted, strict=True))
    ]
    values = merge_values(named) | {"command": shlex.join(["desertseg", *sys.argv[1:]])}
    click.echo("\n".join(summary_lines(values)))
    failures = [str(error) for summary in counted for _, error in summary.failures]
    for reason in failures:
        click.echo(f"left out: {reason}", err=True)
    if json_file:
        from desertseg.report.summary_folder import dump_json

        try:
            write_text(json_file, dump_json(values))
        except OSError as error:
            raise UserError(f"{json_file} cannot be written: {error.strerror}; choose another --json") from error
        click.echo(f"Wrote {json_file}")
    if out:
        from desertseg.report.summary_folder import write_summary

        arrays = [summary.places for summary in counted], [summary.regions for summary in counted]
        page = write_summary(out, values, *arrays, bin_edges(), overwrite=overwrite)
        click.echo(f"Wrote {Path(out)}; open {page}")
    if failures:
        total = sum(len(summary.frames) + len(summary.failures) for summary in counted)
        click.echo(f"{len(failures)} of {total} frames could not be counted; desertseg check says more", err=True)
        sys.exit(1)


def _pair_sides(data: tuple[str, ...], splits: tuple[str, ...]) -> list[tuple[str, str | None]]:
    """Return the folder and split of each side, of which there are one or two."""
    if len(data) > 2 or len(splits) > 2:
        raise UserError(f"{len(data)} folders and {len(splits)} splits were given; at most two stand side by side")
    count = max(len(data), len(splits), 1)
    folders = data * count if len(data) == 1 else data
    chosen = splits * count if len(splits) == 1 else splits or ("all",) * count
    return [(f, None if s == "all" else s) for f, s in zip(folders, chosen, strict=True)]


def _title(sides: list[tuple[str, str | None]], place: int) -> str:
    """Return what a side is called: as short as tells it from the other."""
    names = [f"{Path(f).absolute().name}{f', {s}' if s else ''}" for f, s in sides]
    if len(set(names)) < len(names):
        names = [f"{f}{f', {s}' if s else ''}" for f, s in sides]
    return names[place]


def _count(folder: str, split: str | None, label_map: LabelMap) -> Summary:
    from desertseg.data.folders import find_frames
    from desertseg.data.summary import summarize
    from desertseg.terminal import progress_line

    frames = find_frames(folder, split)
    with progress_line(f"count {Path(folder).name}", len(frames), "frames") as line:
        return summarize(frames, label_map, progress=line.advance)
