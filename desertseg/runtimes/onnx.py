"""ONNX files, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from desertseg.errors import UserError
from desertseg.runtimes.facts import KEY
from desertseg.runtimes.packages import need

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # in the order in which they are preferred


class OnnxSession:
    """A session of onnxruntime, on a GPU where onnxruntime-gpu is installed and finds one.

    Args:
        path: the file.
        threads: that one operation is divided among.

    Raises:
        UserError: onnxruntime is not installed, or refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        ort = need("onnxruntime", "onnx", "an .onnx file is run")
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone: what it optimises and where is no news to a user
        providers = [name for name in _PROVIDERS if name in ort.get_available_providers()]
        refusals = ort.capi.onnxruntime_pybind11_state
        try:
            self._session = ort.InferenceSession(path, options, providers=providers)
        except (
            refusals.Fail,
            refusals.InvalidArgument,
            refusals.InvalidGraph,
            refusals.InvalidProtobuf,
            refusals.NotImplemented,
        ) as error:
            raise UserError(f"onnxruntime refuses {path}: {str(error).splitlines()[0]}; export it again") from error
        self.runtime = f"onnxruntime {ort.__version__}, {self._session.get_providers()[0]}"
        self.facts = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        self._input = self._session.get_inputs()[0].name

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        return self._session.run(None, {self._input: images})[0]
