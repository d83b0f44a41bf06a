"""desertseg evaluate"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from desertseg.cli.options import SizeType, backend_option, count_frames, overwrite_option, tta_option
from desertseg.cli.quiet import without_banner

from desertseg.errors import UserError

if TYPE_CHECKING:
    from desertseg.engine import Evaluation

_OF_A_MODEL = ("size", "batch_size", "at", "tta", "suppress", "priors")
_OF_MASKS = ("labels", "index_offset")
_SHARED = ("mapping", "out", "boundaries", "overwrite")
_SHOWN = 10  # frames that were left out; a folder of a thousand broken files is told in ten and a count


@click.command()
@click.option(
    "--model", metavar="FILE", help="A best.keras that `fit` wrote, what `export` made of it, or a shipped name."
)
@click.option("--predictions", metavar="DIR", help="Score anybody's masks in place of a model.")
@click.option("--data", required=True, metavar="DIR", help="Folder of frames and masks.")
@click.option(
    "--split", default="val", show_default=True, help="train, val, test, all, or a list such as lists/val.txt."
)
@click.option("--out", metavar="DIR", help="Where to write. [default: evaluation/<data>-<split> beside the model]")
@click.option("--size", type=SizeType(), help="What the network sees. [default: the training size]")
@click.option("--batch-size", type=int, default=4, show_default=True, help="Images a step.")
@click.option(
    "--at",
    type=click.Choice(["native", "input"]),
    default="native",
    show_default=True,
    help="Score at the masks' own size, or at the training size, to compare with code that does.",
)
@tta_option
@click.option("--suppress", metavar="NAMES", help="Also score as if these could not be predicted: Flowers,Logs.")
@click.option(
    "--priors",
    type=click.Choice(["none", "estimated"]),
    default="none",
    show_default=True,
    help="estimated: also score with class shares estimated from these frames without their masks.",
)
@click.option(
    "--labels",
    metavar="MAP",
    help="Label map of --predictions: a name or TOML file. [default: of --map, or of the data's layout, or falcon]",
)
@click.option("--index-offset", type=int, metavar="K", help="--predictions hold indices; K stands for the first class.")
@click.option("--map", "mapping", metavar="FILE", help="Correspondence, for masks of another label map.")
@click.option("--boundaries/--no-boundaries", default=True, show_default=True, help="Score how borders are met.")
@overwrite_option
@backend_option
def evaluate(model: str | None, predictions: str | None, data: str, split: str, **options: Any) -> None:
    """Score a model, or anybody's masks: one confusion matrix over all pixels, at the masks' own resolution.

    Writes numbers (JSON, CSV, text), pictures and report.html, which holds them all. A frame that cannot be scored is
    left out and reported; the exit code is then 1.

    \b
    Examples:
      desertseg evaluate --model runs/a/best.keras --data falcon --split val
      desertseg evaluate --model runs/a/best.keras --data mojave --split all --suppress Flowers,Logs --priors estimated
      desertseg evaluate --model runs/a/best.keras --data RUGD --split val --map falcon_to_rugd.toml
      desertseg evaluate --predictions their_masks --data falcon --index-offset 1
    """
    if (model is None) == (predictions is None):
        raise UserError("give either --model FILE or --predictions DIR")
    _refuse_given(_OF_MASKS if model else _OF_A_MODEL, "--predictions" if model else "--model")
    shared = {"split": None if split == "all" else split} | {k: options[k] for k in _SHARED}
    with without_banner():
        from desertseg.data.folders import find_labels
        from desertseg.engine import evaluate as evaluate_model
        from desertseg.engine import evaluate_masks
        from desertseg.engine.evaluation import UnwrittenError

    if model:
        names = [name.strip() for name in (options["suppress"] or "").split(",") if name.strip()]
        own = {k: options[k] for k in _OF_A_MODEL} | {"suppress": names}
        score = partial(evaluate_model, model, data, **own, **shared)
    else:
        if options["labels"] is None and options["mapping"] is None:
            click.echo(find_labels(data)[1])
        own = {k: options[k] for k in _OF_MASKS}
        score = partial(evaluate_masks, str(predictions), data, **own, **shared)
    try:
        result = score()
    except UnwrittenError as error:
        _tell_scores(error.evaluation)
        _tell_failures(error.evaluation)
        click.echo(f"desertseg: {error}", err=True)
        sys.exit(1)
    _tell_scores(result)
    following = f"predict --model {model} FRAMES... --out predictions" if model else f"compare {result.folder} OTHER"
    click.echo(f"Wrote {result.folder}, with report.html; next: desertseg {following}")
    _tell_failures(result)
    if result.failures:
        sys.exit(1)


def _tell_scores(result: Evaluation) -> None:
    from desertseg.report import detail_lines, fold_lines, score_lines

    intervals, resolution = result.details["class_intervals"], result.details["resolution"]
    lines = score_lines(result.scores, result.labels, means=result.means, intervals=intervals, resolution=resolution)
    lines += detail_lines(result.details)
    click.echo("\n".join(fold_lines(lines, shutil.get_terminal_size((120, 24)).columns)))
    click.echo(count_frames(result.frames, result.images_per_second))


def _tell_failures(result: Evaluation) -> None:
    for _, reason in result.failures[:_SHOWN]:
        click.echo(f"left out: {reason}", err=True)
    if len(result.failures) > _SHOWN:
        click.echo(f"left out: {len(result.failures) - _SHOWN} more", err=True)
    if result.failures:
        total = result.frames + len(result.failures)
        click.echo(f"{len(result.failures)} of {total} frames could not be scored", err=True)


def _refuse_given(names: tuple[str, ...], needs: str) -> None:
    """Refuse an option that would be passed over in silence."""
    for name in names:
        if click.get_current_context().get_parameter_source(name) != ParameterSource.DEFAULT:
            raise UserError(f"--{name.replace('_', '-')} needs {needs}; leave it out")
