"""The group `desertseg`: it finds its commands by name and imports one only when it runs."""

from __future__ import annotations

import multiprocessing
import os
import sys
from importlib import import_module

import click

from desertseg import __version__
from desertseg.errors import Stopped, UserError
from desertseg.memory import keep_freed_memory

_COMMANDS = {
    "check": "Tell what is wrong with a data set, and how to mend it.",
    "stats": "Tell what is in a data set, or in two side by side.",
    "split": "Cut a folder into train and val, by scene or block.",
    "view": "Draw a contact sheet of frames and masks.",
    "datasets": "List the known data sets, or tell which one a folder is.",
    "labels": "List label maps, draft one, say how two correspond.",
    "fit": "Train a model on a folder of frames and masks.",
    "evaluate": "Score a model on a split, with tables and pictures.",
    "compare": "Compare runs: each class better, worse, or not to be told.",
    "predict": "Label frames: raw-id masks, colours, overlays.",
    "ui": "Open a page in the browser: try frames, compare two models.",
    "export": "Write a model for another runtime: ONNX, LiteRT ...",
    "gap": "Tell how far another desert is, and what to expect there.",
    "report": "Make one page of a run: scores, pictures, training.",
    "recipes": "List the shipped recipes, or show one.",
    "benchmark": "Measure how fast a model is: latency, throughput, memory.",
    "models": "List the networks, their cost and their weights.",
    "augment": "Draw a contact sheet of a recipe's augmentation.",
    "info": "Tell what this machine is to desertseg, for a bug report.",
    "synth": "Draw a procedural desert in Falcon's format.",
    "demo": "Walk the whole road in minutes, with no data.",
}


class _Group(click.Group):
    """Lists the commands without importing them, and turns a `UserError` into one line and exit code 2."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return getattr(import_module(f"desertseg.cli.{name}"), name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UserError as error:
            raise _Mistake(str(error)) from error


class _Mistake(click.ClickException):
    """What the user can mend, as one line."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(f"desertseg: {self.message}", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="desertseg")
def group() -> None:
    """Label every pixel of an off-road desert frame.

    \b
    Start with no data:       desertseg demo --out demo
    Train on your own:        desertseg fit --data DIR --out runs/a
    Score it:                 desertseg evaluate --model runs/a/best.keras --data DIR --split val
    Use it:                   desertseg predict --model runs/a/best.keras FRAMES... --out predictions
    """


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's banner is no news to a user
    try:
        sys.exit(group.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Stopped as stopped:
        click.echo(f"desertseg: {stopped}", err=True)
        sys.exit(stopped.exit_code)
    except click.Abort:  # what click makes of Ctrl-C
        click.echo("desertseg: stopped by Ctrl-C", err=True)
        _leave(130)


def _leave(code: int) -> None:
    """End the process at once, without Python's own end.

    Ctrl-C may break off the import or the compilation of a native library, which then crashed in that end: one
    `predict` in three that was stopped so in its first seconds ended with 139. What was open is closed by now.
    """
    for child in multiprocessing.active_children():
        child.terminate()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
