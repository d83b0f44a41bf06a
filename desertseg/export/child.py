"""Making a file on the Keras backend that its format needs: here, or in a child process on the other one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from desertseg.backend import default_backend
from desertseg.engine.checkpoint import load_segmenter, save_segmenter
from desertseg.errors import UserError
from desertseg.export.plan import Plan
from desertseg.models import Segmenter

_REFUSED = 2  # the exit code of a child whose last line says what a user can mend


def write_program(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write what the plan's backend makes: the file itself, or for OpenVINO the ONNX file that it is made of.

    Raises:
        UserError: a package is missing, or the format cannot hold this model.
    """
    if plan.backend == default_backend():
        write_here(segmenter, plan, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.keras"
        save_segmenter(segmenter, model)
        command = [sys.executable, "-m", "desertseg.export.child", plan.to_json(), str(model), str(path)]
        environment = os.environ | {"KERAS_BACKEND": plan.backend}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == _REFUSED:
        raise UserError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(f"making {plan.format} on {plan.backend} ended with {done.returncode}:\n{done.stderr}")


def write_here(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write the same on the backend that runs, which is the plan's."""
    if plan.backend == "jax":
        from desertseg.export.jax_files import write_stablehlo

        write_stablehlo(segmenter, plan, path)
        return
    from desertseg.export import tensorflow_files

    writers = {"savedmodel": tensorflow_files.write_savedmodel, "litert": tensorflow_files.write_litert}
    writers.get(plan.format, tensorflow_files.write_onnx)(segmenter, plan, path)


def main(plan: str, model: str, path: str) -> None:
    """Write what `write_program` asked of this process."""
    try:
        write_here(load_segmenter(model), Plan.from_json(plan), Path(path))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(_REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
