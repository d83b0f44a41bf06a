"""An ONNX file in float16: weights and computation, but for what must not be rounded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from desertseg.runtimes import need

_WEIGHTED = ("Conv", "MatMul", "Gemm")
# What sums or exponentiates over many numbers keeps float32, as it does under Keras' mixed precision.
_KEPT = ["Softmax", "ReduceMean", "ReduceSum", "LayerNormalization", "InstanceNormalization", "Resize", "Log", "Exp"]


def halve(source: Path, path: Path) -> None:
    """Write a float32 ONNX file with float16 inside; images and answers keep their dtypes.

    The normalisation of the image and all from the last convolution on stay float32: rounded logits, resized, would
    flip the class where two are close.

    Args:
        source, path: of the files.

    Raises:
        UserError: onnx or onnxruntime is not installed.
    """
    purpose = "a float16 .onnx file is made"
    onnx = need("onnx", "onnx", purpose)
    float16 = need("onnxruntime.transformers.float16", "onnx", purpose)
    model = onnx.load(source)
    ends = {*before_the_weights(model.graph), *after_the_weights(model.graph)}
    halved = float16.convert_float_to_float16(
        model, keep_io_types=True, op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *_KEPT], node_block_list=list(ends)
    )
    onnx.save(halved, path)


def before_the_weights(graph: Any) -> list[str]:
    """Return the names of the nodes that prepare an image: those that the first weighted node needs."""
    return [node.name for node in _reach(graph, forwards=True) if node.op_type not in _WEIGHTED]


def after_the_weights(graph: Any) -> list[str]:
    """Return the names of the last weighted node and of those that depend on it: the head."""
    return [node.name for node in _reach(graph, forwards=False)]


def _reach(graph: Any, forwards: bool) -> Iterable[Any]:
    """Yield the nodes from one end of a graph up to the first weighted ones, these included."""
    nodes = graph.node if forwards else reversed(graph.node)
    reached = {value.name for value in (graph.input if forwards else graph.output)}
    for node in nodes:
        incoming, outgoing = (node.input, node.output) if forwards else (node.output, node.input)
        if reached.intersection(incoming):
            yield node
            if node.op_type not in _WEIGHTED:
                reached.update(name for name in outgoing if name)
