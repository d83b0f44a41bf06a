"""desertseg gap"""

from __future__ import annotations

import sys

import click
from desertseg.cli.options import backend_option, overwrite_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.option("--model", required=True, metavar="FILE", help="A best.keras that `desertseg fit` wrote.")
@click.option("--source", required=True, metavar="DIR", help="The frames and masks that it was trained on.")
@click.option("--target", required=True, metavar="DIR", help="Frames of another desert; masks are not needed.")
@click.option("--out", metavar="DIR", help="Folder to make: gap.html, gap.md, gap.json, pictures. [default: none]")
@click.option("--source-split", default="val", show_default=True, help="train, val, test, or all.")
@click.option("--target-split", default="all", show_default=True, help="train, val, test, or all.")
@click.option("--frames", type=click.IntRange(1), default=500, show_default=True, help="Of either, looked at most.")
@click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Images a step.")
@overwrite_option
@backend_option
def gap(
    model: str,
    source: str,
    target: str,
    out: str | None,
    source_split: str,
    target_split: str,
    frames: int,
    batch_size: int,
    overwrite: bool,
) -> None:
    """Tell how far a desert is from the one of the training, and what to expect of a model there without labels.

    Compares colour and texture, the classes that the model answers, its features and its confidence, and estimates the
    mIoU. Where the target has masks, the truth stands beside it. A file that cannot be read is left out and reported;
    the exit code is then 1.

    \b
    Examples:
      desertseg gap --model runs/a/best.keras --source falcon --target mojave --out gap
      desertseg gap --model desert-small --source desert --target canyon
    """
    with without_banner():
        from desertseg.engine.gap import gap as run_gap
    from desertseg.report.gap import gap_lines

    result = run_gap(
        model,
        source,
        target,
        out=out,
        source_split=None if source_split == "all" else source_split,
        target_split=None if target_split == "all" else target_split,
        frames=frames,
        batch_size=batch_size,
        overwrite=overwrite,
    )
    click.echo("\n".join(gap_lines(result.values)))
    for _, reason in result.failures:
        click.echo(f"left out: {reason}", err=True)
    if result.folder:
        click.echo(f"Wrote {result.folder}; open {result.folder / 'gap.html'}")
    if result.failures:
        click.echo(f"{len(result.failures)} files could not be read", err=True)
        sys.exit(1)
