"""Keras layers in the form that the backend runs fast, with the weights of the plain Keras layer.

On JAX (XLA) some convolutions and their gradients are slow in their plain form and are written in another one; on
TensorFlow the plain operation is fast and is used. Names and shapes of weights do not depend on it, so a model saved
on one backend loads on the other.
"""

from desertseg.backend import default_backend

default_backend()

from desertseg.layers.aspp import aspp  # noqa: E402
from desertseg.layers.attention import Attention  # noqa: E402
from desertseg.layers.block import conv_norm  # noqa: E402
from desertseg.layers.convolution import Convolution  # noqa: E402
from desertseg.layers.cubic import resize_bicubic  # noqa: E402
from desertseg.layers.depthwise import DepthwiseConvolution  # noqa: E402
from desertseg.layers.form import plain_forms  # noqa: E402
from desertseg.layers.fusion import LinearFusion  # noqa: E402
from desertseg.layers.gate import SplitChannels, SwiGLU  # noqa: E402
from desertseg.layers.gelu import GELU  # noqa: E402
from desertseg.layers.initializer import Normal  # noqa: E402
from desertseg.layers.normalization import BatchNormalization  # noqa: E402
from desertseg.layers.pad import CropLike, PadToMultiple  # noqa: E402
from desertseg.layers.patches import PatchConvolution  # noqa: E402
from desertseg.layers.pooling import ImagePooling, MaxPooling  # noqa: E402
from desertseg.layers.position import PositionEmbedding  # noqa: E402
from desertseg.layers.prefix import DropTokens, PrependTokens  # noqa: E402
from desertseg.layers.pyramid import AdaptiveAveragePooling, Rescale  # noqa: E402
from desertseg.layers.resize import BroadcastLike, ResizeLike, resize_bilinear  # noqa: E402
from desertseg.layers.scale import LayerScale  # noqa: E402
from desertseg.layers.tokens import ToGrid, ToTokens  # noqa: E402

__all__ = [
    "GELU",
    "AdaptiveAveragePooling",
    "Attention",
    "BatchNormalization",
    "BroadcastLike",
    "Convolution",
    "CropLike",
    "DepthwiseConvolution",
    "DropTokens",
    "ImagePooling",
    "LayerScale",
    "LinearFusion",
    "MaxPooling",
    "Normal",
    "PadToMultiple",
    "PatchConvolution",
    "PositionEmbedding",
    "PrependTokens",
    "Rescale",
    "ResizeLike",
    "SplitChannels",
    "SwiGLU",
    "ToGrid",
    "ToTokens",
    "aspp",
    "conv_norm",
    "plain_forms",
    "resize_bicubic",
    "resize_bilinear",
]
