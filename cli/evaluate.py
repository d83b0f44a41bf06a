"""desertseg evaluate"""

from __future__ import annotations

import click
from desertseg.cli.options import SizeType, backend_option, count_frames, overwrite_option, tta_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.option("--model", required=True, metavar="FILE", help="A best.keras that `desertseg fit` wrote.")
@click.option("--data", required=True, metavar="DIR", help="Folder of frames and masks.")
@click.option("--split", default="val", show_default=True, help="train, val, test, or all.")
@click.option("--out", metavar="DIR", help="Where to write. [default: evaluation/<data>-<split> beside the model]")
@click.option("--size", type=SizeType(), help="What the network sees. [default: the training size]")
@click.option("--batch-size", type=int, default=4, show_default=True, help="Images a step.")
@tta_option
@overwrite_option
@backend_option
def evaluate(
    model: str,
    data: str,
    split: str,
    out: str | None,
    size: tuple[int, int] | None,
    batch_size: int,
    tta: bool,
    overwrite: bool,
) -> None:
    """Score a model on a split: one confusion matrix over all pixels, at the masks' own resolution.

    \b
    Examples:
      desertseg evaluate --model runs/a/best.keras --data falcon --split val
      desertseg evaluate --model runs/a/best.keras --data other_desert --split all --out scores
    """
    with without_banner():
        from desertseg.engine import evaluate as run_evaluate
    from desertseg.report import score_lines

    chosen = None if split == "all" else split
    result = run_evaluate(
        model, data, split=chosen, out=out, size=size, batch_size=batch_size, tta=tta, overwrite=overwrite
    )
    click.echo("\n".join(score_lines(result.scores, result.labels)))
    click.echo(count_frames(result.frames, result.images_per_second))
    click.echo(f"Wrote {result.folder}; next: desertseg predict --model {model} FRAMES... --out predictions")
