"""One affine resampling of images and labels together, inside the compiled step."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX


class AugmentError(UserError):
    """Images, labels or parameters whose shapes do not belong together."""


def resample(images, affine, size, labels=None, ignore_index=IGNORE_INDEX):
    """Return images, and labels if given, resampled to `size` through an affine map.

    The map takes output pixel centres to input pixel coordinates, pixel (0, 0)'s centre being (0, 0) in both:
    [x_in, y_in] = affine @ [x_out, y_out, 1]. A point up to half a pixel beyond the outermost centres is still on the
    picture and takes the edge's value; further out is outside: 0 in images, `ignore_index` in labels. Images are read
    bilinearly, without a low-pass filter before a reduction; labels by nearest neighbour, ties to the right and down.

    Args:
        images: uint8 or float (B, H, W, 3), RGB in [0, 255]; any channel count works.
        affine: float32 (B, 2, 3), in pixels.
        size: (height, width) of the result.
        labels: integer (B, H, W), or None.
        ignore_index: the label of what lies outside.

    Returns:
        float32 (B, height, width, 3) in [0, 255]; with labels a pair: it, and labels (B, height, width) of their dtype.

    Raises:
        AugmentError: shapes that do not belong together.
    """
    images, affine = ops.convert_to_tensor(images), ops.convert_to_tensor(affine, "float32")
    labels = None if labels is None else ops.convert_to_tensor(labels)
    _check(images, affine, labels)
    batch, height, width, channels = ops.shape(images)
    x, y = _coordinates(affine, size)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    x, y = ops.clip(x, 0, width - 1), ops.clip(y, 0, height - 1)

    # Tables of pixels and one row index a tap: a gather of whole pixels is what XLA does fast.
    left, top = ops.floor(x), ops.floor(y)
    columns = [ops.cast(left, "int32"), ops.cast(ops.minimum(left + 1, width - 1), "int32")]
    rows = [width * ops.cast(row, "int32") for row in (top, ops.minimum(top + 1, height - 1))]
    table = ops.reshape(images, (batch, height * width, channels))
    taps = [[ops.cast(_take(table, row + column), "float32") for column in columns] for row in rows]
    across, down = ops.expand_dims(x - left, -1), ops.expand_dims(y - top, -1)
    upper, lower = (a + (b - a) * across for a, b in taps)
    resampled = ops.where(ops.expand_dims(inside, -1), upper + (lower - upper) * down, 0.0)
    if labels is None:
        return resampled

    column, row = (ops.cast(ops.floor(v + 0.5), "int32") for v in (x, y))
    nearest = _take(ops.reshape(labels, (batch, height * width)), width * row + column)
    return resampled, ops.where(inside, nearest, ops.cast(ignore_index, labels.dtype))


def _take(tables, indices):
    """Return each sample's rows from its own table: tables (B, N, ...) and indices (B, height, width)."""
    if keras.backend.backend() == "jax":  # where each device holds some of the samples, it gathers from its own alone
        return ops.vectorized_map(lambda pair: ops.take(pair[0], pair[1], axis=0), (tables, indices))
    batch, length = ops.shape(tables)[:2]
    first = ops.reshape(ops.arange(batch, dtype="int32") * length, (-1, 1, 1))
    return ops.take(ops.reshape(tables, (batch * length, *tables.shape[2:])), first + indices, axis=0)


def _coordinates(affine, size):
    """Return x and y of every output pixel in the input, float32 (B, height, width) each.

    Written out, because a matrix product may run in a lower precision on an accelerator.
    """
    height, width = size
    x = ops.arange(width, dtype="float32")
    y = ops.expand_dims(ops.arange(height, dtype="float32"), -1)
    a = ops.expand_dims(affine, (-2, -1))
    return tuple(a[:, k, 0] * x + a[:, k, 1] * y + a[:, k, 2] for k in (0, 1))


def _check(images, affine, labels) -> None:
    if len(images.shape) != 4 or tuple(affine.shape[1:]) != (2, 3) or len(affine.shape) != 3:
        raise AugmentError(
            f"resample was given images {tuple(images.shape)} and affine {tuple(affine.shape)}; "
            "it takes images (B, H, W, 3) and affine (B, 2, 3)"
        )
    if labels is not None and tuple(labels.shape) != tuple(images.shape[:3]):
        raise AugmentError(
            f"resample was given images {tuple(images.shape)} and labels {tuple(labels.shape)}; "
            "labels are (B, H, W) of the same frames"
        )
