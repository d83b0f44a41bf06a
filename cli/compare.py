"""desertseg compare"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.engine.compare import Comparison, Difference, RunDifference


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN [RUN...]")
@click.option("--evaluation", metavar="NAME", help="Which of the runs' evaluations, where they share several.")
@click.option("--json", "out", metavar="FILE", help="Write everything as JSON too.")
def compare(runs: tuple[str, ...], evaluation: str | None, out: str | None) -> None:
    """Compare runs with the first one, frame by frame: each class better, worse, or not to be told.

    RUN is a run folder that has been evaluated, or an evaluation folder. Both must have been scored on the same masks;
    frames that only some have are left out. It tells models apart, not recipes: two seeds of one recipe may differ too.

    \b
    Examples:
      desertseg compare runs/a runs/b
      desertseg compare runs/a/evaluation/falcon-val runs/a/evaluation/falcon-val-tta --json difference.json
    """
    with without_banner():
        from desertseg.engine.compare import VERDICT_RULE
        from desertseg.engine.compare import compare as run_compare

    comparison = run_compare(runs, evaluation=evaluation, out=out)
    for run in comparison.runs:
        click.echo("\n".join(_table(run, comparison)) + "\n")
    left_out = f" ({comparison.left_out} that not all have are left out)" if comparison.left_out else ""
    click.echo(f"{comparison.frames} frames in common{left_out}, {comparison.pixels:,} pixels; {comparison.intervals}.")
    rows = [row for run in comparison.runs for row in (*run.classes, *run.means.values())]
    if any(row.by_frame is None or row.by_scene is None for row in rows):
        click.echo("No interval (-) where fewer than two frames, or scenes, show the class.")
    click.echo(f"{VERDICT_RULE[0].upper()}{VERDICT_RULE[1:]}.")
    if out:
        click.echo(f"Wrote {out}")


def _table(run: RunDifference, comparison: Comparison) -> list[str]:
    rows = [*run.classes, *run.means.values()]
    width = max(len(row.name) for row in rows)
    head = f"{'IoU':<{width}}  baseline  this run  difference  {'95 % by frame':>18}  {'95 % by scene':>18}  verdict"
    rule = "-" * len(head)
    lines = [f"baseline  {comparison.baseline}", f"this run  {run.folder}", "", head, rule]
    lines += [_line(row, width) for row in run.classes]
    return [*lines, rule, *(_line(row, width) for row in run.means.values())]


def _line(row: Difference, width: int) -> str:
    ends = [f"{'-' if e is None else f'{e[0]:+.4f} {e[1]:+.4f}':>18}" for e in (row.by_frame, row.by_scene)]
    scores = f"{row.baseline:8.4f}  {row.value:8.4f}  {row.difference:+10.4f}"
    return f"{row.name:<{width}}  {scores}  {ends[0]}  {ends[1]}  {row.verdict}"
