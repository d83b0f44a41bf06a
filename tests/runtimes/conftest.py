"""A model of three classes, written as ONNX by hand: its logits are the image's channels over ten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from desertseg.labels import LabelClass, LabelMap
from desertseg.runtimes import Facts, pack_pair

_LABELS = LabelMap(
    "three", tuple(LabelClass(name, (10 * i + 10,), (i, 0, 0)) for i, name in enumerate(("Sand", "Rock", "Sky")))
)


def _answer(images: np.ndarray, labels: bool = False) -> np.ndarray:
    """Return what the model answers."""
    logits = images.astype(np.float32) * np.float32(0.1)
    return logits.argmax(-1).astype(np.uint8) if labels else logits


def _make_facts(**changes: Any) -> Facts:
    images = np.random.default_rng(0).integers(0, 256, (1, *(changes.get("input_size") or (8, 12)), 3), dtype=np.uint8)
    answers = _answer(images, changes.get("answer") == "labels")
    facts = {
        "desertseg": "0.1.0",
        "labels": _LABELS,
        "recipe": {"model": {"name": "hand"}},
        "size": (16, 24),
        "answer": "logits",
        "input": "uint8",
        "input_size": None,
        "batch": None,
        "dtype": "float32",
        "flip": False,
        "self_test": pack_pair(images, answers, stride=2),
    }
    return Facts(**{**facts, **changes})


def _write_onnx(path: Path, facts: Facts | None) -> Path:
    size = ["height", "width"] if facts is None or facts.input_size is None else list(facts.input_size)
    shape = ["batch" if facts is None or facts.batch is None else facts.batch, *size, 3]
    kind = TensorProto.FLOAT if facts is not None and facts.input == "float32" else TensorProto.UINT8
    nodes = [
        helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "tenth"], ["logits"]),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)
    if facts is not None and facts.answer == "labels":
        nodes += [
            helper.make_node("ArgMax", ["logits"], ["index"], axis=-1, keepdims=0),
            helper.make_node("Cast", ["index"], ["labels"], to=TensorProto.UINT8),
        ]
        output = helper.make_tensor_value_info("labels", TensorProto.UINT8, shape[:3])
    graph = helper.make_graph(
        nodes,
        "hand",
        [helper.make_tensor_value_info("images", kind, shape)],
        [output],
        [helper.make_tensor("tenth", TensorProto.FLOAT, [], [0.1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if facts is not None:
        helper.set_model_props(model, {"desertseg": facts.to_json()})
    onnx.save(model, path)
    return path


@pytest.fixture
def answer() -> Callable[..., np.ndarray]:
    """Return what the model answers."""
    return _answer


@pytest.fixture
def make_facts() -> Callable[..., Facts]:
    """Return the model's facts with some changed."""
    return _make_facts


@pytest.fixture
def write_onnx() -> Callable[..., Path]:
    """Write the model with the facts given, or with none."""
    return _write_onnx


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the model with some facts changed."""
    return lambda **changes: _write_onnx(tmp_path / "hand.onnx", _make_facts(**changes))
