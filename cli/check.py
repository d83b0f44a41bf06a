"""desertseg check"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from desertseg.cli.frames import choose_labels

from desertseg.errors import UserError
from desertseg.files import write_text

if TYPE_CHECKING:
    from desertseg.data.check import Gathered, Report
    from desertseg.labels import LabelMap

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command()
@click.argument("data", metavar="DIR")
@click.option("--labels", metavar="MAP", help="A shipped label map or a TOML file. [default: as the layout tells]")
@click.option("--json", "json_file", metavar="FILE", help="Write every finding as JSON.")
@click.option("--html", "html_file", metavar="FILE", help="Write a page, with pictures of what looks alike.")
@click.option("--fix", "out", metavar="OUT", help="Write a corrected copy, a new folder; DIR stays as it is.")
def check(data: str, labels: str | None, json_file: str | None, html_file: str | None, out: str | None) -> None:
    """Tell what is wrong with a data set and how to mend it: pairs, files, masks, ids, duplicates, splits.

    Reads every image and every mask once. Exit code: 0 clean, 1 warnings, 2 errors.

    \b
    Examples:
      desertseg check falcon
      desertseg check falcon --html check.html --json check.json
      desertseg check broken --fix mended
    """
    label_map, note = choose_labels(labels, data)
    click.echo(note)
    from desertseg.data.check import check_dataset, gather
    from desertseg.report.check import check_lines
    from desertseg.terminal import progress_line

    found = gather(data)
    with progress_line("check", found.count, "frames") as line:
        report = check_dataset(found, label_map, progress=line.advance)
    values = report.to_dict()
    for text in check_lines(values, shutil.get_terminal_size((100, 24)).columns):
        word = text.split(" ", 1)[0]
        rest = text[len(word) :]
        click.echo(click.style(word, fg=_COLORS[word], bold=True) + rest if word in _COLORS else text)
    _write(json_file, html_file, values, found)
    if out:
        _fix(found, report, label_map, out)
    elif report.repairs:
        click.echo(f"A copy with what can be mended: desertseg check {data} --fix OUT")
    elif report.exit_code == 0 and any(f.mask for _, f in found.frames()):
        click.echo(f"Next: desertseg fit --data {data} --out runs/a")
    sys.exit(report.exit_code)


def _write(json_file: str | None, html_file: str | None, values: dict, found: Gathered) -> None:
    try:
        if json_file:
            write_text(json_file, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
            click.echo(f"Wrote {json_file}")
        if html_file:
            from desertseg.report.check import compose_check
            from desertseg.report.page import render_page

            write_text(html_file, render_page(compose_check(values, found.root.absolute().name)))
            click.echo(f"Wrote {html_file}")
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written: {error.strerror}; choose another place") from error


def _fix(found: Gathered, report: Report, labels: LabelMap, out: str) -> None:
    from desertseg.data.check import fix_dataset
    from desertseg.terminal import progress_line

    with progress_line("copy", found.count, "frames") as line:
        fixed = fix_dataset(found, report, labels, out, progress=line.advance)
    changes = f"{fixed.left_out:,} left out, {fixed.rewritten:,} files changed: {Path(fixed.out) / 'check-fixes.txt'}"
    click.echo(f"Wrote {fixed.out}: {fixed.frames:,} of {found.count:,} frames; {changes}")
    left = [f.code for f in report.findings if f.severity != "note" and not f.fixable]
    if left:
        click.echo(f"Not mended, as it needs you: {', '.join(left)}")
    click.echo(f"Next: desertseg check {fixed.out}")
