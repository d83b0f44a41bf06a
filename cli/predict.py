"""desertseg predict"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click
from desertseg.cli.options import SizeType, backend_option, count_frames, overwrite_option, tta_option
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.engine import Predictions

_SHOWN = 10  # lines of one kind; a folder of a thousand broken files is told in ten and a count


class _ListType(click.ParamType):
    """Names with commas between them."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, ...]:
        parts = value if isinstance(value, tuple) else value.split(",")
        return tuple(name for part in parts if (name := part.strip()))


@click.command()
@click.option(
    "--model",
    required=True,
    metavar="FILE",
    help="A best.keras that `fit` wrote, what `export` made of it, or desert-small.",
)
@click.argument("frames", nargs=-1, required=True)
@click.option("--out", required=True, metavar="DIR", help="Folder to make, with a folder for each kind of output.")
@click.option(
    "--outputs",
    type=_ListType(),
    default="masks,masks_color,overlays",
    show_default=True,
    help="Kinds of output, listed above.",
)
@click.option("--masks", metavar="DIR", help="The truth for comparisons. [default: the masks beside the images]")
@click.option("--suppress", type=_ListType(), default="", help="Classes never to predict: Flowers,Logs.")
@click.option(
    "--priors",
    type=click.Choice(["none", "estimated"]),
    default="none",
    show_default=True,
    help="estimated: find the class shares of these frames in a first pass, and answer accordingly.",
)
@click.option("--confidence", type=float, metavar="P", help="Pixels below this probability become unknown.")
@tta_option
@click.option("--window", type=SizeType(), help="Slide a window over each frame at its own size.")
@click.option("--overlap", type=float, default=0.5, show_default=True, help="Share of a window that the next repeats.")
@click.option("--size", type=SizeType(), help="What the network sees. [default: the training size]")
@click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Images a step.")
@overwrite_option
@backend_option
def predict(model: str, frames: tuple[str, ...], out: str, **options: Any) -> None:
    """Label FRAMES: any mix of images, folders, globs, videos, camera:0, and - for a list on standard input.

    Every frame gives a file a kind, at its own size and under its own name; a video gives an overlay video. What cannot
    be read is skipped and reported at the end; the exit code is then 1.

    \b
    Kinds of output:
      masks          16-bit raw ids                    comparisons    frame, truth, prediction, errors
      indices        8-bit class indices               probabilities  float16, 10 MB for ten classes of 960x540
      masks_color    the classes' colours              confidence     the largest probability, 255 = 1
      overlays       tinted frame with a legend        entropy        of the probabilities, 255 = no idea
      costs          traversability 0..100             nav2           costs as yaml + pgm for Nav2's map server

    \b
    Examples:
      desertseg predict --model runs/a/best.keras falcon/test/Color_Images --out predictions
      desertseg predict --model runs/a/best.keras one.jpg "drive/*.png" --out predictions --backend tensorflow
      desertseg predict --model desert-small falcon/val --out looks --outputs masks,comparisons,entropy
      desertseg predict --model desert-small canyon --out canyon --suppress Flowers,Logs --confidence 0.6
      desertseg predict --model desert-small drive.mp4 --out drive
      desertseg predict --model best.onnx drive --out drive
    """
    with without_banner():
        from desertseg.engine import predict as run_predict
        from desertseg.engine.outputs import OutputError

    try:
        result = run_predict(model, frames, out, **options)
    except OutputError as error:
        click.echo(f"desertseg: {error}", err=True)
        sys.exit(1)
    _tell(result)
    if not result.is_whole:
        sys.exit(1)


def _tell(result: Predictions) -> None:
    """Print what was done, then what was not."""
    if result.frames:
        click.echo(_summary(result))
    if result.views > 1:
        known = not math.isnan(result.views_cost)
        cost = f", {result.views_cost:.1f} times the time of one" if known else "; one batch is too few to time them"
        click.echo(f"tta: {result.views} views a frame{cost}.")
    if result.priors is not None:
        click.echo(f"Class shares, training -> these frames: {result.priors.describe(result.labels)}.")
    for video in result.videos:
        click.echo(f"{video.path}: {video.summary}")
    _list("warning: ", result.notes)
    if result.unfamiliar:
        names = ", ".join(result.unfamiliar[:3]) + (", ..." if len(result.unfamiliar) > 3 else "")
        click.echo(
            f"warning: {len(result.unfamiliar)} of {count_frames(len(result.frames), math.nan)[:-1]} "
            f"{'lies' if len(result.unfamiliar) == 1 else 'lie'} outside of what the model was trained on ({names}): "
            "trust such masks less; desertseg gap says how far they are",
            err=True,
        )
    _list("skipped: ", [reason for _, reason in result.failures])
    if result.frames or result.videos:
        click.echo(f"Wrote {result.folder}" + (f"; look at {result.look}" if result.look else ""))
    if result.failures:
        total = len(result.failures) + len(result.frames) + len(result.videos)
        click.echo(f"{len(result.failures)} of {total} files could not be labelled", err=True)


def _summary(result: Predictions) -> str:
    """Return how many frames were done, how fast, and how long the device waited for the host meanwhile."""
    done = count_frames(len(result.frames), result.images_per_second)
    if math.isnan(result.idle):
        return done
    return f"{done.removesuffix('.')}, device idle {100 * result.idle:.0f} % of the time."


def _list(title: str, lines: list[str] | tuple[str, ...]) -> None:
    for line in lines[:_SHOWN]:
        click.echo(title + line, err=True)
    if len(lines) > _SHOWN:
        click.echo(f"{title}{len(lines) - _SHOWN} more", err=True)
