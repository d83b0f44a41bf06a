"""desertseg models"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from desertseg.cli.options import SizeType
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.engine.networks import NetworkDetails, NetworkRow


@click.command()
@click.argument("name", required=False)
@click.option("--backbone", metavar="NAME", help="With NAME: another backbone than its usual one.")
@click.option("--size", type=SizeType(), help="With NAME: where operations are counted. [default: 512x896]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(name: str | None, backbone: str | None, size: tuple[int, int] | None, as_json: bool) -> None:
    """List the networks with parameters and GFLOPs, or show one with its weights and options.

    GFLOPs are those of one image's forward pass; a multiply-add counts as two operations.

    \b
    Examples:
      desertseg models
      desertseg models segformer_b2
      desertseg models upernet --backbone resnet50 --size 256x448
    """
    if name is None and (backbone or size):
        raise click.UsageError("--backbone and --size need the NAME of a network")
    with without_banner():
        from desertseg.engine.networks import inspect_network, list_networks

    if name is None:
        rows = list_networks()
        click.echo(json.dumps([asdict(row) for row in rows], indent=1) if as_json else "\n".join(_list(rows)))
        return
    details = inspect_network(name, backbone, size)
    click.echo(json.dumps(asdict(details), indent=1) if as_json else "\n".join(_describe(details)))


def _list(rows: list[NetworkRow]) -> list[str]:
    width = max(len(row.name) for row in rows)
    side = max(len(row.backbone) for row in rows)
    lines = [f"{'network':<{width}}  {'backbone':<{side}}  {'parameters':>10}  {'GFLOPs':>7}  weights"]
    lines.append("-" * len(lines[0]))
    for row in rows:
        weights = ", ".join(row.weights) + (f"   ({row.source})" if row.source else "")
        lines.append(
            f"{row.name:<{width}}  {row.backbone:<{side}}  {row.cost.parameters / 1e6:8.2f} M  "
            f"{row.cost.flops / 1e9:7.1f}  {weights}"
        )
    lines += ["", "GFLOPs: one 512x896 image's forward pass with 10 classes, a multiply-add counted as two."]
    lines += ["Train one: desertseg fit --model NAME --weights WEIGHTS ...; more about it: desertseg models NAME"]
    return lines


def _describe(details: NetworkDetails) -> list[str]:
    row, cost = details.row, details.row.cost
    pad = f", padded inside to multiples of {details.size_multiple}" if details.size_multiple > 1 else ""
    lines = [
        f"{row.name}: {row.architecture} on {row.backbone}" + (f" ({row.source})" if row.source else ""),
        f"  parameters  {cost.parameters:,}, {cost.backbone_parameters:,} of them in the backbone; "
        f"{details.trained_parameters:,} trained",
        f"  operations  {cost.flops / 1e9:.1f} GFLOPs for an image of {details.size[0]}x{details.size[1]}",
        f"  input       RGB in [0, 255] of any size{pad}",
        f"  features    {', '.join(f'{name} (stride {stride})' for name, stride in details.strides.items())}",
        f"  labels      {details.labels}",
    ]
    if details.settings:
        lines.append(f"  settings    {', '.join(f'{k}={v}' for k, v in details.settings.items())}")
    lines.append(f"  options     {', '.join(details.options)}")
    for index, (name, preset) in enumerate(details.presets.items()):
        lines.append(f"  {'weights' if index == 0 else '':<10}  {name}: {preset.note}; {preset.licence}; {preset.file}")
    lines.append(f"Train it: desertseg fit --model {row.name} --backbone {row.backbone} --data DIR --out runs/a")
    return lines
