"""desertseg predict"""

from __future__ import annotations

import sys

import click
from desertseg.cli.options import SizeType, backend_option, count_frames, overwrite_option, tta_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.option("--model", required=True, metavar="FILE", help="A best.keras that `desertseg fit` wrote.")
@click.argument("frames", nargs=-1, required=True)
@click.option("--out", required=True, metavar="DIR", help="Folder to make: masks/, masks_color/, overlays/.")
@click.option("--size", type=SizeType(), help="What the network sees. [default: the training size]")
@click.option("--batch-size", type=int, default=4, show_default=True, help="Images a step.")
@tta_option
@overwrite_option
@backend_option
def predict(
    model: str,
    frames: tuple[str, ...],
    out: str,
    size: tuple[int, int] | None,
    batch_size: int,
    tta: bool,
    overwrite: bool,
) -> None:
    """Label FRAMES: any mix of files, folders and globs.

    Every frame gives, at its own size and under its own name, a 16-bit mask of raw ids, the same in colours, and an
    overlay with a legend. A file that cannot be read is skipped and reported at the end; the exit code is then 1.

    \b
    Examples:
      desertseg predict --model runs/a/best.keras falcon/test/Color_Images --out predictions
      desertseg predict --model runs/a/best.keras one.jpg "drive/*.png" --out predictions --backend tensorflow
    """
    with without_banner():
        from desertseg.engine import predict as run_predict

    result = run_predict(model, frames, out, size=size, batch_size=batch_size, tta=tta, overwrite=overwrite)
    click.echo(count_frames(len(result.masks), result.images_per_second))
    for _, reason in result.failures:
        click.echo(f"skipped: {reason}", err=True)
    if result.masks:
        click.echo(f"Wrote {result.folder}; look at {result.folder / 'overlays' / result.masks[0].name}")
    if result.failures:
        click.echo(
            f"{len(result.failures)} of {len(result.failures) + len(result.masks)} files could not be read", err=True
        )
        sys.exit(1)
