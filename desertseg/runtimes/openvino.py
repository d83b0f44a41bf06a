"""OpenVINO's models (.xml with its .bin), run by OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from desertseg.errors import UserError
from desertseg.runtimes.facts import KEY
from desertseg.runtimes.packages import need


class OpenVINOSession:
    """A model compiled by OpenVINO for the CPU, in float32 whatever its weights are stored in.

    Args:
        path: the .xml file.
        threads: that one operation is divided among.

    Raises:
        UserError: OpenVINO is not installed, or refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        openvino = need("openvino", "openvino", "an OpenVINO model is run")
        if not path.with_suffix(".bin").is_file():
            raise UserError(f"{path} has no {path.with_suffix('.bin').name} beside it, which holds its weights")
        core = openvino.Core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # else a processor that has bfloat16 would round to it
        }
        try:
            model = core.read_model(path)
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise UserError(
                f"OpenVINO refuses {path}: {str(error).strip().splitlines()[-1]}; export it again"
            ) from error
        self.runtime = f"OpenVINO {openvino.__version__.split('-')[0]}, CPU"
        self.facts = str(model.get_rt_info([KEY]).astype(str)) if model.has_rt_info([KEY]) else None
        self._request = self._compiled.create_infer_request()

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        return np.array(self._request.infer([images], share_inputs=True)[0])
