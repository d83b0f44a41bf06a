"""desertseg info"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any

import click
from desertseg.cli.options import backend_option
from desertseg.cli.quiet import without_banner

_WIDTH = 110
_COLUMN = 12


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--test/--no-test", default=True, show_default=True, help="Time a convolution for a second.")
@backend_option
def info(as_json: bool, test: bool) -> None:
    """Tell what this machine is to desertseg: paste it into a bug report.

    Python, libraries, processor, memory, the backend with its devices, what does not fit together in CUDA, and how fast
    one convolution is. Paths and names of people are left out. The exit code is 1 where the backend does not work.

    \b
    Examples:
      desertseg info
      desertseg info --backend tensorflow
      desertseg info --json > machine.json
    """
    from desertseg.machine import describe_machine

    found = describe_machine() | {"backend": None, "test": None, "problem": None}
    try:
        with without_banner():
            from desertseg.engine.info import describe_backend, time_convolution

            found["backend"] = describe_backend()
        found["test"] = time_convolution() if test else None
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError) as error:  # what a report is about
        found["problem"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    if _wants_gpu(found):
        found["notes"].append(f"{found['backend']['backend']} computes on the CPU: {found['backend']['no_gpu']}")
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(_describe(found)))
    if found["problem"]:
        sys.exit(1)


def _wants_gpu(found: dict[str, Any]) -> bool:
    """Whether there is a GPU that the backend does not use, and nothing has been said of it."""
    return bool(found["cuda"]["gpus"] and found["backend"] and found["backend"]["no_gpu"] and not found["notes"])


def _describe(found: dict[str, Any]) -> list[str]:
    rows = [("", f"desertseg {found['desertseg']}, Python {found['python']}"), ("system", found["system"])]
    rows += [("processor", _cores(found)), ("memory", _memory(found["memory"])), *_backend(found)]
    libraries = (f"{name} {version or '(none)'}" for name, version in found["libraries"].items())
    rows.append(("libraries", ", ".join(libraries)))
    rows.append(("CUDA", _cuda(found["cuda"])))
    if found["variables"]:
        rows.append(("variables", ", ".join(f"{name}={value}" for name, value in found["variables"].items())))
    if found["test"]:
        test = found["test"]
        speed = f"{test['images_per_second']:,.1f} images/s, {test['gflops_per_second']:,.0f} GFLOP/s"
        rows.append(("test", f"{speed}, compiled in {test['compile_seconds']:.2f} s; {test['what']}"))
    rows += [("careful", note) for note in found["notes"]]
    lines = []
    for name, text in rows:
        begin, indent = (f"  {name:<{_COLUMN}}", " " * (_COLUMN + 2)) if name else ("", "")
        lines += textwrap.wrap(text, _WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)
    return lines


def _backend(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("problem", found["problem"])] if found["problem"] else []
    backend = found["backend"]
    if backend is None:
        return rows
    names = [device["name"] + _size(device["memory"]) for device in backend["devices"]]
    return [*rows, ("backend", f"{backend['backend']}, {backend['precision']}"), ("devices", ", ".join(names))]


def _cores(found: dict[str, Any]) -> str:
    cores = found["cores"]
    limit = f", a container allows {cores['limit']:g}" if cores["limit"] else ""
    return f"{found['processor']}, {cores['usable']} of {cores['machine']} cores usable{limit}"


def _memory(memory: dict[str, int | None]) -> str:
    from desertseg.terminal import format_bytes

    named = {"total": "{}", "available": "{} available", "limit": "a container allows {}"}
    known = [words.format(format_bytes(size)) for name, words in named.items() if (size := memory[name])]
    return ", ".join(known) or "not known on this system"


def _cuda(cuda: dict[str, Any]) -> str:
    if cuda["driver"] is None and not cuda["gpus"]:
        return "no NVIDIA driver is loaded"
    packages = ", ".join(f"{name} {version}" for name, version in cuda["packages"].items())
    gpus = "; ".join(cuda["gpus"]) or "no GPU answers"
    return f"{gpus}; driver {cuda['driver'] or 'unknown'}; {packages or 'no CUDA packages of JAX'}"


def _size(memory: int | None) -> str:
    from desertseg.terminal import format_bytes

    return f" ({format_bytes(memory)})" if memory else ""
