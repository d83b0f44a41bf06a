"""Keras Hub's ResNets, by name or folder, as the tensors of torchvision's ResNet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.backend import without_tensorflow
from desertseg.errors import suggest
from desertseg.models.errors import ModelError

NAMES = tuple(f"resnet_{depth}_imagenet" for depth in (18, 50, 101, 152))
_REGISTERED = "keras_hub>ResNetBackbone"
_BLOCKS = ("basic_block", "bottleneck_block")
_ADVICE = "give a ResNet of the first version, such as 'resnet_50_imagenet'"
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def is_keras_hub(source: str | Path) -> bool:
    """Return whether a source is the name of a Keras Hub ResNet, or a folder that Keras Hub's save_to_preset wrote."""
    if Path(source).is_dir():
        return "registered_name" in _config(Path(source))
    return re.fullmatch(r"resnet_(v2_|vd_)?\d+(_\w+)?", str(source)) is not None


def read_keras_hub(source: str | Path) -> dict[str, np.ndarray]:
    """Return a Keras Hub ResNet's weights under torchvision's names and in PyTorch's axis order, without a classifier.

    Args:
        source: a name ("resnet_50_imagenet"), which Keras Hub downloads and caches, or a folder with config.json and
            model.weights.h5 as its save_to_preset writes them.

    Raises:
        ModelError: another network than a plain ResNet, no such name, a damaged folder, or no network to fetch it.
    """
    folder = Path(source)
    if folder.is_dir():
        _check_folder(folder)
    else:
        _check_name(str(source))
    backbone = _open(str(source))
    _check_blocks(source, backbone.block_type, backbone.use_pre_activation, len(backbone.input_conv_filters))
    return dict(_tensors(backbone))


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _check_folder(folder: Path) -> None:
    config = _config(folder)
    if config.get("registered_name") != _REGISTERED:
        name = str(config.get("registered_name") or "no Keras Hub model")
        raise ModelError(f"folder {folder} holds {name}; expected {_REGISTERED}: {_ADVICE}")
    if not (folder / "model.weights.h5").is_file():
        raise ModelError(f"folder {folder} has no model.weights.h5 beside its config.json; write it by save_to_preset")
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    _check_blocks(
        folder, inner.get("block_type"), inner.get("use_pre_activation"), len(inner.get("input_conv_filters") or [0])
    )


def _check_name(name: str) -> None:
    if re.match(r"resnet_(v2|vd)_", name):
        _check_blocks(name, "bottleneck_block_vd" if "_vd_" in name else "", "_v2_" in name, 1)
    if name not in NAMES:
        raise ModelError(f"no Keras Hub ResNet '{name}'{suggest(name, NAMES)}; there are {', '.join(NAMES)}")


def _check_blocks(source: str | Path, block_type: Any, pre_activation: Any, stem_convolutions: int) -> None:
    if pre_activation:
        reason = "normalises before each convolution (ResNet v2)"
    elif str(block_type).endswith("_vd") or stem_convolutions > 1:
        reason = "has another stem and shortcut (ResNet-vd)"
    elif block_type not in _BLOCKS:
        reason = f"has blocks of type {block_type!r}"
    else:
        return
    raise ModelError(f"weights {source} cannot be used: the network {reason}, which our ResNet does not; {_ADVICE}")


def _open(source: str) -> Any:
    try:
        with without_tensorflow():
            import keras_hub
    except ImportError as error:
        raise ModelError(f"weights {source} need Keras Hub: pip install keras-hub ({error})") from error
    try:
        with without_tensorflow():
            return keras_hub.models.ResNetBackbone.from_preset(source)
    except _faults() as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        advice = (
            "its model.weights.h5 does not fit its config.json, or is damaged: fetch both again"
            if Path(source).is_dir()
            else "without a network, give the folder of a preset that was fetched elsewhere"
        )
        raise ModelError(f"Keras Hub cannot load weights {source} ({reason}); {advice}") from error


def _faults() -> tuple[type[Exception], ...]:
    """Return what Keras, the network and kagglehub, whose errors have no base class in common, raise."""
    from kagglehub import exceptions

    own = (e for e in vars(exceptions).values() if isinstance(e, type) and issubclass(e, Exception))
    return (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, *own)


def _tensors(backbone: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield torchvision's names and PyTorch's arrays."""
    yield from _convolution_norm(backbone, "conv1", "conv1", "bn1")
    for stage, depth in enumerate(backbone.stackwise_num_blocks):
        for block in range(depth):
            ours, theirs = f"stack{stage}_block{block}", f"layer{stage + 1}.{block}"
            if block == 0 and (backbone.block_type == "bottleneck_block" or stage > 0):
                yield from _convolution_norm(backbone, f"{ours}_0", f"{theirs}.downsample.0", f"{theirs}.downsample.1")
            for place in range(1, 4 if backbone.block_type == "bottleneck_block" else 3):
                yield from _convolution_norm(
                    backbone, f"{ours}_{place}", f"{theirs}.conv{place}", f"{theirs}.bn{place}"
                )


def _convolution_norm(backbone: Any, layer: str, conv: str, norm: str) -> Iterator[tuple[str, np.ndarray]]:
    kernel = np.array(backbone.get_layer(f"{layer}_conv").kernel, "float32")
    yield f"{conv}.weight", kernel.transpose(3, 2, 0, 1)
    for name, attribute in _NORM.items():
        yield f"{norm}.{name}", np.array(getattr(backbone.get_layer(f"{layer}_bn"), attribute), "float32")
