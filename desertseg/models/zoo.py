"""Names -> builders: `build_segmenter("deeplabv3plus", "resnet18", "falcon")`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from desertseg.errors import suggest
from desertseg.labels import LabelMap, load_labels
from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus
from desertseg.models.errors import ModelError
from desertseg.models.network import Network
from desertseg.models.resnet import ResNet
from desertseg.models.segmenter import Segmenter

_MODELS: dict[str, type[Network]] = {"deeplabv3": DeepLabV3, "deeplabv3plus": DeepLabV3Plus}
_BACKBONES: dict[str, dict[str, Any]] = {
    "resnet18": {"blocks": (2, 2, 2, 2), "bottleneck": False},
    "resnet34": {"blocks": (3, 4, 6, 3), "bottleneck": False},
    "resnet50": {"blocks": (3, 4, 6, 3), "bottleneck": True},
    "resnet101": {"blocks": (3, 4, 23, 3), "bottleneck": True},
}


def available_models() -> list[str]:
    """Return the names that `build_segmenter` takes as `model`."""
    return list(_MODELS)


def available_backbones() -> list[str]:
    """Return the names that `build_segmenter` takes as `backbone`."""
    return list(_BACKBONES)


def build_segmenter(
    model: str = "deeplabv3plus",
    backbone: str = "resnet18",
    labels: str | LabelMap = "falcon",
    size: tuple[int, int] | None = None,
    output_stride: int = 16,
    *,
    recipe: dict[str, Any] | None = None,
    **options: Any,
) -> Segmenter:
    """Return a `Segmenter` with random weights; `keras.utils.set_random_seed` before it fixes them.

    Args:
        model: one of `available_models()`.
        backbone: one of `available_backbones()`.
        labels: `LabelMap`, shipped name or TOML file.
        size: (height, width) to be trained at; kept in the file.
        output_stride: 8, 16 or 32.
        recipe: kept in the file.
        **options: of the model (`DeepLabV3Plus`) and the backbone (`ResNet`), e.g. `separable=False`, `width=32`;
            `dtype` goes to both.

    Raises:
        ModelError: an unknown name or option; the message names the nearest right one and all of them.
    """
    labels = load_labels(labels)
    model_class = _MODELS[_checked("model", model, _MODELS)]
    backbone_options = dict(_BACKBONES[_checked("backbone", backbone, _BACKBONES)])
    allowed = {
        "model": _options(model_class) - {"backbone", "num_classes"},
        "backbone": _options(ResNet) - {"output_stride"},
    }
    for name in options:
        _checked("option", name, sorted(allowed["model"] | allowed["backbone"]))
    backbone_options |= {k: v for k, v in options.items() if k in allowed["backbone"]}
    network = model_class(
        ResNet(output_stride=output_stride, name="backbone", **backbone_options),
        labels.num_classes,
        name="network",
        **{k: v for k, v in options.items() if k in allowed["model"]},
    )
    return Segmenter(network, labels, size, recipe)


def _options(builder: type[Network]) -> set[str]:
    parameters = inspect.signature(builder.__init__).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self"}


def _checked(kind: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    if name in known:
        return name
    raise ModelError(f"no {kind} '{name}'{suggest(name, known)}; there are {', '.join(known)}")
