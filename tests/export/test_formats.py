"""Every format on its own runtime, and every architecture of the zoo in ONNX: `make test-exports`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from desertseg.export import export_model
from desertseg.models import Segmenter, available_models, build_segmenter
from desertseg.runtimes import FORMATS, load_exported

pytestmark = [pytest.mark.exports, pytest.mark.filterwarnings("default")]  # the converters' own warnings are many

# What is computed in float16, or stored so, and every option of each format at least once.
_OPTIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "fixed": {"size": (64, 96), "batch": 2, "answer": "labels", "flip": True, "input": "float32"},
    "free": {"size": "free", "batch": "free"},
    "half": {"dtype": "float16", "answer": "labels"},
}
_BACKBONES = {"deeplabv3": "resnet18", "upernet": "dinov2_vits14", "dilated_upernet": "dinov2_vits14"}


@pytest.mark.parametrize("options", _OPTIONS.values(), ids=_OPTIONS)
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_answers_as_the_model(format: str, options: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / f"small{FORMATS[format].suffix}"
    done = export_model("desert-small", out, format, **options)
    assert done.comparison.agreement >= 0.999
    assert done.comparison.max_difference is None or done.comparison.max_difference < 1e-3
    exported = load_exported(out)
    assert exported.check().agreement >= 0.999
    assert exported.dtype == options.get("dtype", "float32")
    assert exported.labels.names[-1] == "Sky"
    if exported.input_size:
        images = np.zeros((3, *exported.input_size, 3), np.uint8)
        assert exported.run(images).shape[:3] == (3, *exported.input_size)


@pytest.mark.parametrize("name", available_models())
def test_every_architecture_exports_to_onnx(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    segmenter: Segmenter = build_segmenter(name, _BACKBONES.get(name), size=(112, 168))
    for weight in segmenter.weights:  # spread the logits: nearly equal ones would make the class a matter of rounding
        if weight.path.endswith("/kernel") and weight.shape[-1] == segmenter.num_classes:
            weight.assign(weight * 100)
    done = export_model(segmenter, tmp_path / "network.onnx")
    print(name, done.comparison, done.timing)
    assert done.comparison.agreement >= 0.999
