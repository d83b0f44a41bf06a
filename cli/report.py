"""desertseg report"""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click
from desertseg.cli.options import backend_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--open",
    "show",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Open it in a browser; auto: from a terminal with a display.",
)
@backend_option
def report(folder: str, show: str) -> None:
    """Write the report of a run or an evaluation in DIR: report.html, one file that opens anywhere, and report.md.

    \b
    Examples:
      desertseg report runs/a
      desertseg report runs/a/evaluation/falcon-val --open no
    """
    with without_banner():
        from desertseg.engine.report import write_report

    page = write_report(folder)
    size = page.stat().st_size / 1e6
    click.echo(f"Wrote {page} ({size:.1f} MB, opens without anything beside it) and {page.with_suffix('.md')}")
    if show == "yes" or (show == "auto" and sys.stdout.isatty() and _has_display()):
        webbrowser.open(Path(page).absolute().as_uri())


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
