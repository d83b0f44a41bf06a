"""Losses over integer labels (B, H, W) with ignore and logits (B, H, W, C)."""

from desertseg.backend import default_backend

default_backend()

from desertseg.losses.cross_entropy import CrossEntropy  # noqa: E402
from desertseg.losses.dice import Dice  # noqa: E402
from desertseg.losses.focal import Focal  # noqa: E402
from desertseg.losses.focal_dice import FocalDice  # noqa: E402
from desertseg.losses.pixels import LossError  # noqa: E402
from desertseg.losses.weighted_sum import WeightedSum  # noqa: E402

__all__ = ["CrossEntropy", "Dice", "Focal", "FocalDice", "LossError", "WeightedSum"]
