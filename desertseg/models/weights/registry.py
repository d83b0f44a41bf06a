"""The layouts that are tried, in this order, on a checkpoint."""

from desertseg.models.weights.deeplab import SMP_DEEPLABV3PLUS, TORCHVISION_DEEPLABV3
from desertseg.models.weights.dinov2 import DINOV2, STARTER_HEAD
from desertseg.models.weights.layout import Layout
from desertseg.models.weights.mobilenet import MOBILENETV3, TORCHVISION_LRASPP
from desertseg.models.weights.resnet import RESNET
from desertseg.models.weights.segformer import (
    HUGGING_FACE,
    HUGGING_FACE_ENCODER,
    MIT,
    NVIDIA_SEGFORMER,
    SMP_SEGFORMER,
)

# Whole networks before the backbones in them.
LAYOUTS: tuple[Layout, ...] = (
    TORCHVISION_DEEPLABV3,
    SMP_DEEPLABV3PLUS,
    TORCHVISION_LRASPP,
    HUGGING_FACE,
    NVIDIA_SEGFORMER,
    SMP_SEGFORMER,
    STARTER_HEAD,
    RESNET,
    MOBILENETV3,
    DINOV2,
    HUGGING_FACE_ENCODER,
    MIT,
)
