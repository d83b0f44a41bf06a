"""How fast is an exported file against Keras on JAX and on TensorFlow?

    python benchmarks/exports.py [--model desert-small] [--size 192x320] [--rounds 40] [--formats onnx,litert]

Exports the model in every format at a fixed size, batch 1, then times one image from uint8 in the host's memory to
logits there. All formats run in one process, in turns with Keras on the backend of that process; so each ratio is one
of medians that saw the same machine. Needs the extras onnx, litert and openvino.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="desert-small")
    parser.add_argument("--size", default="192x320")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--formats", default="onnx,savedmodel,litert,openvino,stablehlo")
    parser.add_argument("--files", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = tuple(int(n) for n in options.size.split("x"))
    if options.files:
        print(json.dumps(measure(options.model, Path(options.files), size, options.rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        export_all(options.model, Path(folder), size, options.formats.split(","))
        columns = {}
        for backend in ("jax", "tensorflow"):
            command = [sys.executable, *sys.argv, "--files", folder]
            environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            columns[backend] = json.loads(done.stdout.splitlines()[-1])
    print(f"{options.model}, one image of {options.size}, medians of {options.rounds} rounds in turns")
    print(f"{'':42}  {'ms':>8}  {'x jax':>6}    {'ms':>8}  {'x tensorflow':>12}")
    for name in columns["jax"]:
        (a, keras_a), (b, keras_b) = ((c[name], c["keras"]) for c in columns.values())
        print(f"{name:42}  {1e3 * a:8.2f}  {keras_a / a:6.2f}    {1e3 * b:8.2f}  {keras_b / b:12.2f}")


def export_all(model: str, folder: Path, size: tuple[int, ...], formats: list[str]) -> None:
    """Write each format, in float32."""
    from desertseg.export import export_model
    from desertseg.runtimes import FORMATS

    for name in formats:
        export_model(model, folder / f"{name}{FORMATS[name].suffix}", name, size=(size[0], size[1]), batch=1)


def measure(model: str, folder: Path, size: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Return median seconds by name, Keras first."""
    from desertseg.engine.checkpoint import load_segmenter
    from desertseg.export.comparison import Reference, time_in_turns
    from desertseg.export.plan import Plan
    from desertseg.runtimes import is_exported, load_exported

    reference = Reference(load_segmenter(model), Plan("onnx", (size[0], size[1]), 1))
    images = reference.draw((size[0], size[1]), 1)
    files = [load_exported(path) for path in sorted(folder.iterdir()) if is_exported(path)]
    calls = [lambda: reference.run(images), *(lambda file=file: file.run(images) for file in files)]
    names = ["keras", *(f"{file.format}, {file.runtime}" for file in files)]
    return dict(zip(names, time_in_turns(calls, rounds), strict=True))


if __name__ == "__main__":
    main()
