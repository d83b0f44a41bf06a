"""desertseg export"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click
from desertseg.cli.options import SizeType, backend_option
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.export import Export
    from desertseg.export.cost import Cost


class _SizeOrFree(SizeType):
    """HEIGHTxWIDTH, or free."""

    name = "HxW|free"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        return value if value == "free" else super().convert(value, param, context)


class _BatchOrFree(click.ParamType):
    """A number of images, or free."""

    name = "N|free"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int | str:
        if isinstance(value, int) or value == "free":
            return value
        if not str(value).isdigit() or not int(value):
            self.fail(f"'{value}' is no number of images; give 1, 2 ..., or free", param, context)
        return int(value)


@click.command()
@click.option(
    "--model", required=True, metavar="FILE", help="A best.keras that `desertseg fit` wrote, or desert-small."
)
@click.option(
    "--format", "format_", required=True, metavar="FORMAT", help="onnx, savedmodel, litert, openvino, stablehlo."
)
@click.option("--out", required=True, metavar="FILE", help="File to write; for savedmodel a folder.")
@click.option("--size", type=_SizeOrFree(), help="Of the images. [default: free; litert, stablehlo: the training size]")
@click.option("--batch", type=_BatchOrFree(), help="Images a call. [default: free; litert, stablehlo: 1]")
@click.option(
    "--dtype", default="float32", show_default=True, metavar="TYPE", help="float32, float16, or for onnx int8."
)
@click.option(
    "--answer",
    default="logits",
    show_default=True,
    metavar="KIND",
    help="logits, or labels: the class of each pixel as uint8.",
)
@click.option("--input", default="uint8", show_default=True, metavar="TYPE", help="Of the images: uint8 or float32.")
@click.option("--flip", is_flag=True, help="Mean over the image and its mirror, inside the file; twice the time.")
@click.option(
    "--calibrate", metavar="DIR", help="For int8: frames like those to come; a data folder's training frames."
)
@click.option(
    "--data", metavar="DIR", help="Score the file and the model on it. [default: --calibrate's, where it has masks]"
)
@click.option("--split", default="val", show_default=True, help="Of --data.")
@click.option("--overwrite", is_flag=True, help="Replace what is at --out.")
@backend_option
def export(format_: str, data: str | None, split: str, **options: Any) -> None:
    """Write a model as a file for another runtime: what it needs lies inside, from RGB in [0, 255] to the answer.

    The file is loaded back by its own runtime and compared with the model on procedural frames; where fewer than 99.9 %
    of the pixels get the model's class, nothing is written (int8 is told, not held to that). predict, evaluate and
    benchmark take an exported file as --model.

    \b
    Formats:
      onnx        onnxruntime, TensorRT, OpenCV      pip install 'desertseg[onnx]'
      savedmodel  TensorFlow, a folder
      litert      phones and small boards, .tflite   pip install 'desertseg[litert]'
      openvino    Intel, .xml and .bin               pip install 'desertseg[openvino]'
      stablehlo   jax.export

    \b
    Examples:
      desertseg export --model runs/a/best.keras --format onnx --out desert.onnx
      desertseg export --model desert-small --format onnx --out camera.onnx --size 192x320 --batch 1 --answer labels
      desertseg export --model runs/a/best.keras --format onnx --out int8.onnx --dtype int8 --calibrate falcon
      desertseg export --model runs/a/best.keras --format openvino --out desert.xml --dtype float16 --flip
    """
    with without_banner():
        from desertseg.export import export_model, prepare
        from desertseg.export.cost import find_scored, measure_cost

        prepare(format_)
    from desertseg.terminal import progress_line

    scored = find_scored(data, split, options["calibrate"])
    with progress_line("export", 1, "files") as line:
        done = export_model(format=format_, describe=line.describe, **options)
    for text in _describe(done):
        click.echo(text)
    if scored is not None:
        click.echo(_describe_cost(measure_cost(options["model"], done.path, scored, split), scored, split))
    click.echo(f"Wrote {done.path}; use it: desertseg predict --model {done.path} FRAMES... --out predictions")


def _describe(done: Export) -> list[str]:
    from desertseg.errors import plural
    from desertseg.terminal import format_bytes

    plan, comparison, timing = done.plan, done.comparison, done.timing
    takes = f"{plan.input} RGB ({plan.batch or 'B'}, {', '.join(map(str, plan.size or ('H', 'W')))}, 3)"
    gives = "float32 logits" if plan.answer == "logits" else "uint8 labels"
    sizes = ", ".join("x".join(map(str, size)) for size in comparison.sizes)
    differs = "" if comparison.max_difference is None else f"; logits differ by at most {comparison.max_difference:.2g}"
    ratio = timing.keras / timing.exported
    measured = f"{'x'.join(map(str, timing.size))}, batch {timing.batch}, medians of calls in turns"
    return [
        f"{done.path}: {plan.format}, {plan.dtype}, {format_bytes(done.bytes)}, run by {done.runtime}",
        f"  takes      {takes}",
        f"  answers    {gives}{', the mean over image and mirror' if plan.flip else ''}",
        f"  compared   {_share(comparison.agreement)} of the pixels have the model's class{differs}",
        f"             {plural(comparison.frames, 'procedural frame')} of {sizes}, against Keras on {done.backend}",
        f"  latency    {1e3 * timing.exported:.2f} ms, Keras on {done.backend} {1e3 * timing.keras:.2f} ms: "
        f"{ratio:.2f} times as fast",
        f"             {measured}",
    ]


def _share(share: float) -> str:
    """Return a share in percent, rounded down: 100 % is said of all alone."""
    return f"{math.floor(1e5 * share) / 1e3:.3f} %"


def _describe_cost(cost: Cost, data: str, split: str) -> str:
    change = cost.exported - cost.keras
    return (
        f"  mIoU       {cost.exported:.4f}, the model itself {cost.keras:.4f} ({change:+.4f}), on {cost.frames} frames "
        f"of {data}, {split}"
    )
