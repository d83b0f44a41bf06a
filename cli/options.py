"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from desertseg.backend import BACKENDS, use_backend


class SizeType(click.ParamType):
    """HEIGHTxWIDTH, in pixels."""

    name = "HxW"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(p.isdigit() and int(p) > 0 for p in parts):
            self.fail(f"'{value}' is no size; write HEIGHTxWIDTH, such as 192x320", param, context)
        return int(parts[0]), int(parts[1])


class BlocksType(click.ParamType):
    """A count of blocks, "all" or "auto"."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int | str:
        if isinstance(value, int) or value in ("all", "auto"):
            return value
        if not str(value).isdigit():
            self.fail(f"'{value}' is no count of blocks; give a number, 'all' or 'auto'", param, context)
        return int(value)


def _choose_backend(context: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        use_backend(value)


def backend_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --backend, which acts before anything imports Keras."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        callback=_choose_backend,
        expose_value=False,
        is_eager=True,
        help="What computes. [default: $KERAS_BACKEND, else jax]",
    )(command)


def count_frames(frames: int, images_per_second: float) -> str:
    """Return how many frames were done, and how fast where there was more than the first batch, which compiles."""
    rate = "" if math.isnan(images_per_second) else f", {images_per_second:.1f} images/s after the first batch"
    return f"{frames} {'frame' if frames == 1 else 'frames'}{rate}."


def overwrite_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --overwrite."""
    return click.option("--overwrite", is_flag=True, help="Replace what the output folder holds.")(command)


def tta_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --tta."""
    return click.option(
        "--tta", is_flag=True, help="Average over the recipe's scales and the mirrored frame: slower, often better."
    )(command)
