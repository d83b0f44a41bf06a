"""The formats that are made from a graph of TensorFlow's: SavedModel, ONNX, LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from desertseg.errors import UserError
from desertseg.export.plan import Plan
from desertseg.export.program import as_computed, make_program
from desertseg.export.quiet import quiet
from desertseg.layers.form import single_forms
from desertseg.models import Segmenter
from desertseg.runtimes import need

OPSET = 18  # of ONNX: 2022's, which every runtime of the last years knows
_LIMIT = 2**31 - 2**20  # bytes: protobuf, and so one ONNX or LiteRT file, holds no more than 2 GiB


def write_savedmodel(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write a folder whose signature "serving_default" takes "images" and gives "logits" or "labels"."""
    import tensorflow as tf

    module = tf.Module()
    model = as_computed(segmenter, plan)
    module.held = [variable.value for variable in model.variables]
    module.serve = _trace(model, plan)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def write_onnx(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write an ONNX file in float32, with the names "images" and "logits" or "labels".

    Raises:
        UserError: tf2onnx is not installed, or the weights are more than a file holds.
    """
    purpose = "an .onnx file is made"
    onnx, tf2onnx = need("onnx", "onnx", purpose), need("tf2onnx", "onnx", purpose)
    _check_bytes(segmenter, "ONNX")
    traced = _trace(as_computed(segmenter, plan), plan)
    with single_forms(), quiet("tf2onnx"):
        model, _ = tf2onnx.convert.from_function(traced, input_signature=traced.input_signature, opset=OPSET)
    _name_axes(model.graph, plan)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_litert(segmenter: Segmenter, plan: Plan, path: Path) -> None:
    """Write a LiteRT file; with float16 its weights are, and a CPU widens them as it loads.

    Raises:
        UserError: the weights are more than a file holds.
    """
    import tensorflow as tf

    _check_bytes(segmenter, "LiteRT")
    module = tf.Module()
    module.serve = _trace(as_computed(segmenter, plan), plan)
    with single_forms():
        concrete = module.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    if plan.dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())


def _trace(model: Segmenter, plan: Plan) -> Any:
    """Return a tf.function of images that answers {"logits": ...} or {"labels": ...}."""
    import tensorflow as tf

    program = make_program(model, plan)
    signature = [tf.TensorSpec(plan.shape, plan.input, name="images")]
    return tf.function(lambda images: {plan.answer: program(images)}, input_signature=signature)


def _name_axes(graph: Any, plan: Plan) -> None:
    """Name the free axes of a graph's input and output, which tf2onnx numbers."""
    names = [n if n is not None else name for n, name in zip(plan.shape, ("batch", "height", "width", ""), strict=True)]
    for value in (graph.input[0], graph.output[0]):
        for axis, name in zip(value.type.tensor_type.shape.dim[:3], names[:3], strict=True):
            if isinstance(name, str):
                axis.dim_param = name
            else:
                axis.dim_value = name


def _check_bytes(segmenter: Segmenter, kind: str) -> None:
    held = 4 * segmenter.count_params()
    if held > _LIMIT:
        raise UserError(
            f"the weights are {held / 2**30:.1f} GiB and one {kind} file holds 2; choose --format savedmodel"
        )
