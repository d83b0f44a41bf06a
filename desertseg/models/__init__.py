"""Networks that label every pixel: backbones, heads, and the `Segmenter` that carries one in a single file."""

from desertseg.backend import default_backend

default_backend()

from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus  # noqa: E402
from desertseg.models.errors import ModelError  # noqa: E402
from desertseg.models.resnet import ResNet  # noqa: E402
from desertseg.models.segmenter import Segmenter  # noqa: E402
from desertseg.models.weights import describe_weights, load_weights_from  # noqa: E402
from desertseg.models.zoo import (  # noqa: E402
    available_backbones,
    available_models,
    available_networks,
    build_segmenter,
)

__all__ = [
    "DeepLabV3",
    "DeepLabV3Plus",
    "ModelError",
    "ResNet",
    "Segmenter",
    "available_backbones",
    "available_models",
    "available_networks",
    "build_segmenter",
    "describe_weights",
    "load_weights_from",
]
