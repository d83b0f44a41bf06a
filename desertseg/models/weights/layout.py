"""What a foreign checkpoint is called inside, and which of its tensors belongs into which of our variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from desertseg.layers import Convolution, DepthwiseConvolution

Tensors = Mapping[str, np.ndarray]

# Keras' name of a normalisation's weight -> PyTorch's.
_NORMALIZATION = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


@dataclass(frozen=True)
class Found:
    """What a checkpoint holds, read from the names and shapes of its tensors.

    Attributes:
        layout: who wrote it, for messages, such as "torchvision ResNet".
        scope: "network" when it has the head too, "backbone" when it has the backbone alone.
        model: the zoo's architecture that takes it; for a bare backbone the one that a user would want.
        backbone: the zoo's backbone.
        options: of `build_segmenter`, those without which the weights would not fit or would compute something else.
        num_classes: of its classifier, None where it has none.
    """

    layout: str
    scope: str
    model: str
    backbone: str
    options: dict[str, Any] = field(default_factory=dict)
    num_classes: int | None = None


@dataclass(frozen=True)
class Assignment:
    """One variable of ours and the tensors that it is made of.

    Attributes:
        variable: of the target.
        tensors: names in the checkpoint.
        convert: from their arrays to an array of the variable's shape.
        classifier: its last axis counts classes, so that another count there is excused.
    """

    variable: Any
    tensors: tuple[str, ...]
    convert: Callable[..., np.ndarray]
    classifier: bool = False


@dataclass(frozen=True)
class Layout:
    """A family of checkpoints.

    Attributes:
        name: for messages.
        detect: tensors -> what they are, or None when they are something else.
        assign: target (the network, or the backbone, by the scope found) and tensors -> assignments.
        excused: regular expression of whole tensor names that need no home -> why.
        left: regular expressions of the target's layers that the checkpoint does not fill.
        network: the class that a checkpoint of scope "network" fills; None for a backbone's layout.
        backbone: prefix of the backbone's tensors in such a checkpoint, and their layout, for a network with another
            head.
    """

    name: str
    detect: Callable[[Tensors], Found | None]
    assign: Callable[[keras.Model, Tensors], list[Assignment]]
    excused: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    network: type[keras.Model] | None = None
    backbone: tuple[str, Layout] | None = None


def weighted_layers(network: keras.Model) -> list[keras.Layer]:
    """Return the layers of a network, those of nested models too, that own variables."""
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if not isinstance(layer, keras.Model) and layer.weights]


def layer_assignments(network: keras.Model, names: Callable[[str], str | None]) -> list[Assignment]:
    """Return the assignments of every layer of a usual kind: convolution, dense, normalisation.

    Args:
        network: ours.
        names: our layer's name -> the PyTorch module's, or None for a layer that the caller assigns otherwise or not.
    """
    found = []
    for layer in weighted_layers(network):
        module = names(layer.name)
        if module is None:
            continue
        for variable in layer.weights:
            suffix = _NORMALIZATION.get(variable.name, "bias" if variable.name == "bias" else "weight")
            found.append(
                Assignment(
                    variable,
                    (f"{module}.{suffix}",),
                    _converter(layer, variable),
                    classifier=layer.name.endswith("classifier"),
                )
            )
    return found


def _converter(layer: keras.Layer, variable: Any) -> Callable[[np.ndarray], np.ndarray]:
    if isinstance(layer, _NORMALIZATIONS) or variable.name == "bias":
        return np.asarray
    if isinstance(layer, DepthwiseConvolution):
        return lambda array: array.transpose(2, 3, 0, 1)
    if isinstance(layer, (Convolution, keras.layers.Conv2D)):
        return _convolution_kernel
    if isinstance(layer, keras.layers.Dense):
        return _dense_kernel
    raise TypeError(f"layer {layer.name} is a {type(layer).__name__}: its layout must assign it by itself")


def _convolution_kernel(array: np.ndarray) -> np.ndarray:
    """Return (h, w, in, out) from PyTorch's (out, in, h, w), or from a linear layer's (out, in)."""
    return array.T[None, None] if array.ndim == 2 else array.transpose(2, 3, 1, 0)


def _dense_kernel(array: np.ndarray) -> np.ndarray:
    """Return (in, out) from PyTorch's (out, in), or from a 1x1 convolution's (out, in, 1, 1)."""
    return array[:, :, 0, 0].T if array.ndim == 4 and array.shape[2:] == (1, 1) else array.T
