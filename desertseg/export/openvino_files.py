"""OpenVINO's format, made from an ONNX file."""

from __future__ import annotations

from pathlib import Path

from desertseg.export.plan import Plan
from desertseg.runtimes import need


def write_openvino(source: Path, plan: Plan, path: Path) -> None:
    """Write an .xml file with its .bin beside it; with float16 the weights in it are.

    Args:
        source: the same model as ONNX.
        plan: of the export.
        path: of the .xml file.

    Raises:
        UserError: OpenVINO is not installed.
    """
    openvino = need("openvino", "openvino", "an OpenVINO model is made")
    model = openvino.Core().read_model(source)
    openvino.save_model(model, path, compress_to_fp16=plan.dtype == "float16")
