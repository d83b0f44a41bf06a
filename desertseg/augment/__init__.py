"""Augmentation on the device: pure functions of a batch and of parameters that were drawn on the host."""

from desertseg.backend import default_backend

default_backend()

from desertseg.augment.affine import AugmentError, resample  # noqa: E402
from desertseg.augment.augment import augment  # noqa: E402

__all__ = ["AugmentError", "augment", "resample"]
