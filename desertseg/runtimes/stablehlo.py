"""StableHLO files of jax.export, run by JAX."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from desertseg.errors import UserError
from desertseg.runtimes.attached import read_attached
from desertseg.runtimes.packages import need


class StableHLOSession:
    """A program of jax.export, compiled for JAX's first device; each shape of images is compiled once.

    Args:
        path: the file.
        threads: without meaning here; XLA takes the cores that the process may use.

    Raises:
        UserError: JAX is not installed, or refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        jax = need("jax", None, "a .stablehlo file is run")
        export = need("jax.export", None, "a .stablehlo file is run")
        self.facts = read_attached(path)
        if self.facts is None:  # the reader of the program itself crashes on bytes that are none
            raise UserError(f"{path} says nothing of desertseg; give a file that `desertseg export` wrote")
        exported = export.deserialize(bytearray(path.read_bytes()))
        device = jax.devices()[0]
        if {"gpu": "cuda"}.get(device.platform, device.platform) not in exported.platforms:
            raise UserError(f"{path} runs on {' and '.join(exported.platforms)}; set JAX_PLATFORMS=cpu to run it here")
        self._answer = jax.jit(exported.call)
        self.runtime = f"JAX {jax.__version__}, {device.device_kind}"

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        return np.asarray(self._answer(images))
