"""Writing the facts into an exported file, each format in its own way."""

from __future__ import annotations

from pathlib import Path

from desertseg.runtimes import Facts, need
from desertseg.runtimes.attached import attach
from desertseg.runtimes.facts import KEY
from desertseg.runtimes.savedmodel import FACTS


def carry(path: Path, format: str, facts: Facts) -> None:
    """Put the facts into the file or folder of an export that says nothing of itself yet.

    Args:
        path: of the export.
        format: one of `FORMATS`.
        facts: what it is to say.
    """
    if format == "onnx":
        onnx = need("onnx", "onnx", "an .onnx file is made")
        model = onnx.load(path)
        model.producer_name, model.producer_version = "desertseg", facts.desertseg
        onnx.helper.set_model_props(model, {KEY: facts.to_json()})
        onnx.save(model, path)
    elif format == "savedmodel":
        (path / FACTS).parent.mkdir(exist_ok=True)
        (path / FACTS).write_text(facts.to_json(), encoding="utf-8")
    elif format == "openvino":
        openvino = need("openvino", "openvino", "an OpenVINO model is made")
        model = openvino.Core().read_model(path)
        model.set_rt_info(facts.to_json(), [KEY])
        other = path.with_name(f"facts-{path.name}")
        openvino.save_model(model, other, compress_to_fp16=False)
        del model  # it maps the .bin that is replaced
        for suffix in (".bin", ".xml"):
            other.with_suffix(suffix).replace(path.with_suffix(suffix))
    else:
        attach(path, facts.to_json(), labels="\n".join(facts.labels.names) + "\n")
