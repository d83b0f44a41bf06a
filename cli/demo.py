"""desertseg demo"""

from __future__ import annotations

import click
from desertseg.cli.options import SizeType, backend_option, overwrite_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.option("--out", default="demo", show_default=True, metavar="DIR", help="Folder to make.")
@click.option("--frames", type=click.IntRange(8), default=160, show_default=True, help="Training frames to draw.")
@click.option("--held-out", type=click.IntRange(1), default=24, show_default=True, help="Frames to test on, a desert.")
@click.option("--size", type=SizeType(), default="144x256", show_default=True, help="Training size.")
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@overwrite_option
@backend_option
def demo(out: str, frames: int, held_out: int, size: tuple[int, int], epochs: int, seed: int, overwrite: bool) -> None:
    """Walk the whole road with no data: draw a desert, train in it, score it there and in a canyon, predict.

    \b
    Examples:
      desertseg demo
      desertseg demo --out demo_tf --backend tensorflow
    """
    with without_banner():
        from desertseg.engine import Recipe, run_demo
    from desertseg.report import score_lines

    recipe = Recipe().with_settings(size=size, epochs=epochs, seed=seed)
    result = run_demo(out, recipe, frames=frames, held_out=held_out, overwrite=overwrite)
    for title, evaluation in (
        ("the desert it trained in, held-out frames", result.home),
        ("a canyon it has never seen", result.shifted),
    ):
        click.echo(f"\n{title}\n")
        click.echo("\n".join(score_lines(evaluation.scores, evaluation.labels)))
    click.echo(f"\nPictures: {result.predictions.folder / 'overlays'}, {result.run.folder / 'plots'},")
    click.echo(f"  {result.home.folder} and {result.shifted.folder}")
    click.echo(f"Wrote {out}; next: desertseg fit --data YOUR_FRAMES --out runs/a")
