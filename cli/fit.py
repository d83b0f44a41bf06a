"""desertseg fit"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from desertseg.cli.options import BlocksType, SizeType, backend_option, overwrite_option
from desertseg.cli.quiet import without_banner

from desertseg.backend import use_backend


class DevicesType(click.ParamType):
    """A count of devices, or "all"."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int | str:
        if isinstance(value, int) or value == "all":
            return value
        if not str(value).isdigit() or int(value) < 1:
            self.fail(f"'{value}' is no count of devices; give a number from 1 on, or 'all'", param, context)
        return int(value)


@click.command()
@click.option("--data", metavar="DIR", help="Folder with train and val frames and masks.")
@click.option("--out", metavar="DIR", help="Run folder to make.")
@click.option(
    "--resume", "resumed", metavar="DIR", help="Run folder to go on with, where it stopped; needs no other option."
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="One of `desertseg recipes`, or a TOML file such as a run's recipe.toml; options below change it.",
)
@click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change any key of `desertseg recipes --keys`, such as train.epochs=5; again for more. Goes above all.",
)
@click.option(
    "--labels",
    metavar="NAME|FILE",
    show_default="auto",
    help="Label map: one of `desertseg labels`, or a TOML file; auto: that of the data's layout, else falcon.",
)
@click.option(
    "--weights",
    metavar="FILE|NAME",
    help="Checkpoint to start from (.safetensors, .pth, .keras, .weights.h5, a folder), or imagenet, dinov2, coco ...",
)
@click.option(
    "--model", metavar="NAME", show_default="auto", help="Network; auto: that of --weights, else deeplabv3plus."
)
@click.option("--backbone", metavar="NAME", show_default="auto", help="auto: that of --weights, else the usual one.")
@click.option("--output-stride", type=int, show_default="0", help="8, 16 or 32; 0: the network's own.")
@click.option(
    "--open-blocks",
    type=BlocksType(),
    show_default="auto",
    help="Trained blocks of the backbone, from the last: a number, or all; auto freezes DINOv2 alone.",
)
@click.option("--size", type=SizeType(), show_default="192x320", help="Training size, height x width.")
@click.option(
    "--resize",
    type=click.Choice(["letterbox", "stretch"]),
    show_default="letterbox",
    help="How a frame is fitted into the size.",
)
@click.option(
    "--loss", metavar="NAME", show_default="focal_dice", help="A loss, or a sum such as 'cross_entropy + 0.5*dice'."
)
@click.option("--epochs", type=int, show_default="40", help="Passes over the training frames.")
@click.option("--batch-size", type=int, show_default="8", help="Images a step.")
@click.option("--lr", "learning_rate", type=float, show_default="0.002", help="Highest learning rate.")
@click.option("--seed", type=int, show_default="0", help="Decides weights, order and augmentation.")
@click.option("--mixed-precision/--full-precision", default=None, help="Compute in bfloat16, keep float32 weights.")
@click.option(
    "--devices",
    type=DevicesType(),
    show_default="1, or as the resumed run had them",
    help="Devices of this machine that share each step, or all; --batch-size is that of all together. JAX.",
)
@click.option("--hosts", type=click.IntRange(1), envvar="DESERTSEG_HOSTS", help="Machines that train together. JAX.")
@click.option("--host", type=int, envvar="DESERTSEG_HOST", help="Which of --hosts this is, from 0; that one writes.")
@click.option(
    "--coordinator", metavar="HOST:PORT", envvar="DESERTSEG_COORDINATOR", help="Host 0 and a free port, with --hosts."
)
@click.option("--workers", type=int, default=0, show_default=True, help="Processes that decode; 0 decodes in threads.")
@overwrite_option
@backend_option
def fit(
    data: str | None,
    out: str | None,
    resumed: str | None,
    recipe: str | None,
    changes: tuple[str, ...],
    devices: int | str | None,
    hosts: int | None,
    host: int | None,
    coordinator: str | None,
    workers: int,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Train a model on a folder of frames and masks.

    Unset options take the default recipe's values; what was used is written to recipe.toml in the run. The model with
    the best mean IoU on the validation frames, at their native resolution, is kept as best.keras. With --weights alone
    the network is the one that the checkpoint is of; `desertseg models` lists them all.

    \b
    Examples:
      desertseg fit --data falcon --out runs/a
      desertseg fit --data falcon --out runs/b --backbone resnet50 --size 256x448 --epochs 60 --lr 5e-4
      desertseg fit --data falcon --out runs/d --weights deeplabv3_resnet50_coco-cd0a2569.pth
      desertseg fit --data falcon --out runs/e --model segformer_b2 --weights imagenet
      desertseg fit --data falcon --out runs/f --weights dinov2_vits14_pretrain.pth --size 266x476
      desertseg fit --data falcon --out runs/g --recipe desert_best --set model.backbone=resnet34
      desertseg fit --data falcon --out runs/c --recipe runs/b/recipe.toml --seed 1 --backend tensorflow
      desertseg fit --resume runs/c
      desertseg fit --data falcon --out runs/h --devices all --batch-size 32

    \b
    --resume goes on with the same run after a crash, Ctrl-C or SIGTERM, as if it had not stopped.
    --weights starts a new run from what another one, or anybody, has learnt.
    --hosts N --host K --coordinator HOST:PORT, on N machines for K = 0 to N - 1 with all other options alike, trains on
    all of them; --data and --out are folders that all see. Or set DESERTSEG_HOSTS, _HOST and _COORDINATOR.
    """
    chosen = {key: value for key, value in settings.items() if value is not None}
    _check(data, out, resumed, overwrite)
    if (hosts or 1) > 1 and (host is None or not coordinator):
        raise click.UsageError("--hosts needs --host, which of them this is, and --coordinator, where they meet")
    if resumed:
        _choose_backend_of(resumed)
    with without_banner():
        from desertseg.engine import fit as run_fit
        from desertseg.engine import join_hosts, resume
        from desertseg.engine.recipe import load_recipe, parse_change

    if hosts and hosts > 1 and host is not None and coordinator:
        join_hosts(hosts, host, coordinator)
    chosen |= dict(parse_change(text) for text in changes)
    given = load_recipe(recipe) if recipe else None
    if resumed:
        run = resume(resumed, data=data, recipe=given, devices=devices, workers=workers, **chosen)
    else:
        assert data
        assert out
        run = run_fit(data, out, given, overwrite=overwrite, devices=devices or 1, workers=workers, **chosen)
    if host and hosts:
        return  # the first one tells
    click.echo(f"Best: epoch {run.epoch}, {run.miou:.4f} {run.definition}.")
    click.echo(f"Wrote {run.folder}; next: desertseg evaluate --model {run.best} --data {run.data} --split val")


def _check(data: str | None, out: str | None, resumed: str | None, overwrite: bool) -> None:
    """Refuse options that contradict each other, or are missing."""
    if resumed and (out or overwrite):
        raise click.UsageError("--resume goes on in the run's own folder; leave out --out and --overwrite")
    if not resumed and not (data and out):
        raise click.UsageError("give --data and --out, or --resume with the folder of a run")


def _choose_backend_of(run: str) -> None:
    """Go on with the backend that the run was started on, unless the user has chosen one."""
    with suppress(OSError, ValueError, KeyError):  # what is wrong with the folder is said later
        backend = json.loads((Path(run) / "environment.json").read_text(encoding="utf-8"))["backend"]
        if "KERAS_BACKEND" not in os.environ:
            use_backend(backend)
