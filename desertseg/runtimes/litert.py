"""LiteRT files (.tflite), run by ai-edge-litert."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from desertseg.errors import UserError
from desertseg.runtimes.attached import read_attached
from desertseg.runtimes.packages import need


class LiteRTSession:
    """An interpreter of LiteRT, on the CPU.

    Args:
        path: the file.
        threads: that one operation is divided among.

    Raises:
        UserError: ai-edge-litert is not installed, or refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        module = need("ai_edge_litert.interpreter", "litert", "a .tflite file is run")
        try:
            self._interpreter = module.Interpreter(str(path), num_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"LiteRT refuses {path}: {str(error).splitlines()[0]}; export it again") from error
        self.runtime = f"LiteRT {version('ai-edge-litert')}, CPU"
        self.facts = read_attached(path)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] | None = None

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        if images.shape != self._shape:  # it plans its memory for one shape
            self._interpreter.resize_tensor_input(self._input, images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input, images)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)
