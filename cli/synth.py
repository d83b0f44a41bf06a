"""desertseg synth"""

from __future__ import annotations

import os

import click
from desertseg.cli.options import SizeType, backend_option, overwrite_option


@click.command()
@click.option("--out", required=True, metavar="DIR", help="Folder to make.")
@click.option("--domain", default="desert", show_default=True, help="desert, or canyon: another desert, for testing.")
@click.option("--train", type=click.IntRange(0), default=200, show_default=True, help="Training frames.")
@click.option("--val", type=click.IntRange(0), default=40, show_default=True, help="Validation frames.")
@click.option("--test", type=click.IntRange(0), default=0, show_default=True, help="Test frames.")
@click.option("--size", type=SizeType(), default="540x960", show_default=True, help="Height x width.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other frames.")
@click.option(
    "--workers", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="one a core", help="Processes."
)
@overwrite_option
@backend_option
def synth(
    out: str,
    domain: str,
    train: int,
    val: int,
    test: int,
    size: tuple[int, int],
    seed: int,
    workers: int,
    overwrite: bool,
) -> None:
    """Draw a procedural desert in Falcon's exact layout and format, with all ten classes.

    \b
    Examples:
      desertseg synth --out desert
      desertseg synth --out canyon --domain canyon --train 0 --val 0 --test 100
    """
    from desertseg.data.synthetic import write_dataset
    from desertseg.terminal import progress_line

    total = train + val + test
    with progress_line(f"draw {domain}", total, "frames") as line:
        write_dataset(
            out,
            domain=domain,
            train=train,
            val=val,
            test=test,
            size=size,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            progress=lambda done, _: line.advance(),
        )
    click.echo(f"Wrote {total} frames to {out}; next: desertseg fit --data {out} --out runs/a")
