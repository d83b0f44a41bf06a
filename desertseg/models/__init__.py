"""Networks that label every pixel: backbones, heads, and the `Segmenter` that carries one in a single file."""

from desertseg.backend import default_backend

default_backend()

from desertseg.models.deeplab import DeepLabV3, DeepLabV3Plus  # noqa: E402
from desertseg.models.dinov2 import DINOv2  # noqa: E402
from desertseg.models.errors import ModelError  # noqa: E402
from desertseg.models.freezing import freeze_backbone  # noqa: E402
from desertseg.models.lraspp import LRASPP  # noqa: E402
from desertseg.models.mit import MiT  # noqa: E402
from desertseg.models.mobilenet import MobileNetV3  # noqa: E402
from desertseg.models.resnet import ResNet  # noqa: E402
from desertseg.models.segformer import SegFormer  # noqa: E402
from desertseg.models.segmenter import Segmenter  # noqa: E402
from desertseg.models.token_heads import ConvNeXtHead, LinearHead  # noqa: E402
from desertseg.models.upernet import DilatedUPerNet, UPerNet  # noqa: E402
from desertseg.models.weights import describe_weights, load_weights_from  # noqa: E402
from desertseg.models.zoo import (  # noqa: E402
    available_backbones,
    available_models,
    available_networks,
    build_segmenter,
)

__all__ = [
    "LRASPP",
    "ConvNeXtHead",
    "DINOv2",
    "DeepLabV3",
    "DeepLabV3Plus",
    "DilatedUPerNet",
    "LinearHead",
    "MiT",
    "MobileNetV3",
    "ModelError",
    "ResNet",
    "SegFormer",
    "Segmenter",
    "UPerNet",
    "available_backbones",
    "available_models",
    "available_networks",
    "build_segmenter",
    "describe_weights",
    "freeze_backbone",
    "load_weights_from",
]
