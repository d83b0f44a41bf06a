"""Losses over integer labels (B, H, W) with ignore and logits (B, H, W, C)."""

from desertseg.backend import default_backend

default_backend()

from desertseg.losses.boundary import BoundaryCrossEntropy  # noqa: E402
from desertseg.losses.cross_entropy import CrossEntropy  # noqa: E402
from desertseg.losses.dice import Dice  # noqa: E402
from desertseg.losses.focal import Focal  # noqa: E402
from desertseg.losses.focal_dice import FocalDice  # noqa: E402
from desertseg.losses.lovasz import LovaszSoftmax  # noqa: E402
from desertseg.losses.ohem import OHEM  # noqa: E402
from desertseg.losses.pixels import LossError, PixelLoss  # noqa: E402
from desertseg.losses.regions import RegionLoss  # noqa: E402
from desertseg.losses.tversky import Tversky  # noqa: E402
from desertseg.losses.weighted_sum import WeightedSum  # noqa: E402
from desertseg.weighting import SCHEMES, class_weights  # noqa: E402

__all__ = [
    "OHEM",
    "SCHEMES",
    "BoundaryCrossEntropy",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalDice",
    "LossError",
    "LovaszSoftmax",
    "PixelLoss",
    "RegionLoss",
    "Tversky",
    "WeightedSum",
    "class_weights",
]
