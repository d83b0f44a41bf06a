"""All of the augmentation: a pure function of a batch and of parameters that were drawn on the host."""

from __future__ import annotations

from keras import ops

from desertseg.augment.affine import resample
from desertseg.augment.mixing import mix
from desertseg.augment.photometric import photometric


def augment(images, labels, parameters, size):
    """Return the training pictures of a batch and their labels.

    Geometry first (`resample`), then what partners give (`mix`), then colour and light (`photometric`). Nothing is
    random here: the same batch gives the same pictures, on any backend, compiled or not.

    Args:
        images: uint8 or float (B, H, W, 3), RGB in [0, 255], at load size.
        labels: integer (B, H, W), 255 = ignore.
        parameters: "affine" float32 (B, 2, 3) and a key for each effect that is on, as `load_dataset` delivers them
            beside "image".
        size: training size (height, width).

    Returns:
        images float32 (B, height, width, 3) in [0, 255], and labels (B, height, width) of their dtype; 0 and 255 where
        a picture ends.

    Raises:
        AugmentError: shapes that do not belong together.
    """
    images, labels = resample(images, parameters["affine"], size, labels)
    images, labels = mix(images, labels, parameters)
    return ops.clip(photometric(images, labels, parameters), 0.0, 255.0), labels
