"""desertseg ui"""

from __future__ import annotations

import os
from typing import Any

import click
from desertseg.cli.options import backend_option
from desertseg.cli.quiet import without_banner

_MOST_PIXELS = 150_000_000  # no decoder may unfold more, whatever a file's header hides


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="M",
    help="A model to offer; repeat it for more. [default: desert-small]",
)
@click.option("--data", metavar="DIR", help="A data folder to browse.")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: the first free one from 7860 on]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind to; others let others in.")
@click.option("--cases", default="cases", show_default=True, metavar="DIR", help="Where saved cases go.")
@click.option(
    "--max-upload", type=click.IntRange(1), default=300, show_default=True, metavar="MIB", help="Largest file to take."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@backend_option
def ui(models: tuple[str, ...], data: str | None, **options: Any) -> None:
    """Show in the browser what a model makes of frames and videos, how sure it is, and how it scores.

    Needs the extra: pip install 'desertseg[ui]'. It works offline, on this machine alone unless --host says otherwise.

    \b
    Examples:
      desertseg ui
      desertseg ui --model runs/a/best.keras --data falcon
      desertseg ui --model runs/a/best.keras --model runs/b/best.keras --data falcon --port 8000
    """
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MOST_PIXELS))  # OpenCV reads it when it is imported
    with without_banner():
        from desertseg.ui import serve

    serve(models, data, tell=click.echo, **options)
