"""The layouts that are tried, in this order, on a checkpoint."""

from desertseg.models.weights.deeplab import SMP_DEEPLABV3PLUS, TORCHVISION_DEEPLABV3
from desertseg.models.weights.layout import Layout
from desertseg.models.weights.resnet import RESNET

LAYOUTS: tuple[Layout, ...] = (TORCHVISION_DEEPLABV3, SMP_DEEPLABV3PLUS, RESNET)
