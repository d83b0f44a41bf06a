"""One vector for a picture: the backbone's deepest feature, averaged over the picture."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from desertseg.layers import PadToMultiple
from desertseg.models.features import feature_strides, size_multiple_of
from desertseg.models.segmenter import Segmenter, normalize_images


def embed_images(segmenter: Segmenter, images: Any, region: tuple[slice, slice] | None = None) -> Any:
    """Return float32 (B, F): the mean of the deepest feature, or of the logits where the network has no backbone.

    Args:
        segmenter: the model; it is asked as in inference.
        images: uint8 or float (B, H, W, 3), RGB in [0, 255].
        region: rows and columns of the images to take the mean over, such as without letterbox bars; all when None.
    """
    height, width = images.shape[1:3]
    feature, (seen_height, seen_width) = _deepest(segmenter, images)
    if region is not None:
        rows = _cells(region[0], feature.shape[1] / seen_height, height)
        columns = _cells(region[1], feature.shape[2] / seen_width, width)
        feature = feature[:, rows, columns]
    return ops.mean(ops.cast(feature, "float32"), axis=(1, 2))


def _deepest(segmenter: Segmenter, images: Any) -> tuple[Any, tuple[int, int]]:
    """Return the feature (B, h, w, F) and the size of the images that it was made of, padding included."""
    network = segmenter.network
    backbone = getattr(network, "backbone", None)
    if backbone is None:
        return segmenter(images, training=False), images.shape[1:3]
    seen = normalize_images(images)
    multiple = getattr(network, "size_multiple", None) or size_multiple_of(backbone)
    if multiple > 1:
        seen = PadToMultiple(multiple, dtype="float32")(seen)
    features = backbone(seen, training=False)
    return features[list(feature_strides(backbone))[-1]], seen.shape[1:3]


def _cells(pixels: slice, scale: float, extent: int) -> slice:
    """Return the cells of a feature that lie within a range of pixels, at least one."""
    start, stop, _ = pixels.indices(extent)
    first, last = math.ceil(start * scale - 1e-6), math.floor(stop * scale + 1e-6)
    if last > first:
        return slice(first, last)
    middle = int((start + stop) / 2 * scale)
    return slice(middle, middle + 1)
