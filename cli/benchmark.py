"""desertseg benchmark"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from desertseg.cli.options import SizeType, backend_option
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.engine.benchmark import Benchmark

_DTYPES = ("float32", "bfloat16", "float16")


@click.command()
@click.option(
    "--model", required=True, metavar="FILE|NAME", help="A best.keras, an exported file, a shipped model, or a network."
)
@click.option("--size", type=SizeType(), help="Of the images. [default: the training size]")
@click.option("--batch", type=click.IntRange(1), help="Measure this batch size alone. [default: search the best]")
@click.option("--dtype", type=click.Choice(_DTYPES), help="Compute in it. [default: as the model was trained]")
@click.option("--repeats", type=click.IntRange(20), default=200, show_default=True, help="Timed calls of one image.")
@click.option("--json", "json_file", metavar="FILE", help="Write all numbers there; - prints them instead.")
@backend_option
def benchmark(
    model: str,
    size: tuple[int, int] | None,
    batch: int | None,
    dtype: str | None,
    repeats: int,
    json_file: str | None,
) -> None:
    """Measure how fast a model is here: latency of one image, throughput of batches, memory.

    Time runs from uint8 images in the host's memory to labels in the host's memory; files are not part of it. Calls
    that compile or warm up do not count.

    \b
    Examples:
      desertseg benchmark --model runs/a/best.keras
      desertseg benchmark --model deeplabv3plus_resnet50 --size 512x896 --dtype bfloat16
      desertseg benchmark --model desert-small --batch 16 --backend tensorflow --json speed.json
    """
    with without_banner():
        from desertseg.engine.benchmark import benchmark as run_benchmark
    from desertseg.files import write_text

    result = run_benchmark(model, size=size, batch_size=batch, dtype=dtype, repeats=repeats, progress=json_file != "-")
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False)
    if json_file == "-":
        click.echo(text)
        return
    click.echo("\n".join(_describe(result)))
    if json_file:
        write_text(Path(json_file), text + "\n")
        click.echo(f"Wrote {json_file}")


def _describe(result: Benchmark) -> list[str]:
    from desertseg.terminal import format_bytes

    latency, memory, host = result.latency, result.memory, result.environment
    packages = ", ".join(f"{name} {version}" for name, version in host["packages"].items())
    size = "x".join(map(str, result.size))
    counted = "" if result.parameters is None else f"{result.parameters / 1e6:.1f} M parameters, "
    limit = "" if latency.runs >= 100 else ", too few for a p99 that says more than the slowest"
    lines = [
        f"{result.model}: {result.network}, {counted}{size}, {result.dtype}",
        f"  on          {host['device']} ({host['cpus']} processors), {packages}",
        f"  load        {result.load_seconds:.2f} s",
        f"  compile     {result.compile_seconds:.2f} s for one image",
        f"  one image   p50 {_ms(latency.p50)}   p95 {_ms(latency.p95)}   p99 {_ms(latency.p99)}   "
        f"slowest {_ms(latency.slowest)}",
        f"              {latency.runs} calls{limit}; {latency.outside:.1%} of a call lie outside the device",
        "  batches     images/s   ms/image",
    ]
    for row in result.throughputs:
        mark = "   best" if row is result.best and len(result.throughputs) > 1 else ""
        lines.append(f"  {row.batch_size:>7}  {row.images_per_second:11.1f}  {1e3 / row.images_per_second:9.2f}{mark}")
    lines.append(f"              {result.stopped}")
    names = {"loaded": "loaded", "batch_1": "one image", "process": "all batches"}
    held = [f"{text} {format_bytes(used)}" for name, text in names.items() if (used := memory[name]) is not None]
    lines.append(f"  memory      the process held at most: {', '.join(held) or 'not known on this system'}")
    if (on_device := memory["device"]) is not None:
        lines.append(f"              the device held at most: {format_bytes(on_device)}")
    return lines


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.2f} ms"
