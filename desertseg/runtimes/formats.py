"""The formats that a model is exported to: how a file of each is recognised, and what it takes to run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SAVED_MODEL = "saved_model.pb"  # what makes a folder TensorFlow's


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        suffix: of its files; "" where it is a folder.
        runtime: what runs it.
        extra: of desertseg that installs what makes and runs it; None where desertseg's own dependencies do.
    """

    suffix: str
    runtime: str
    extra: str | None


FORMATS = {
    "onnx": Format(".onnx", "onnxruntime", "onnx"),
    "savedmodel": Format("", "TensorFlow", None),
    "litert": Format(".tflite", "LiteRT", "litert"),
    "openvino": Format(".xml", "OpenVINO", "openvino"),
    "stablehlo": Format(".stablehlo", "JAX", None),
}


def find_format(path: str | Path) -> str | None:
    """Return the format of an exported file or folder by its name and what lies in it; None where it is none.

    Nothing is opened: a file of another kind under such a name is noticed when it is loaded.
    """
    path = Path(path)
    if path.is_dir():
        return "savedmodel" if (path / SAVED_MODEL).is_file() else None
    return next((name for name, its in FORMATS.items() if its.suffix and path.suffix.lower() == its.suffix), None)
