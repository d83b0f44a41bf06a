"""Contrast-limited adaptive histogram equalisation of the luminance."""

from __future__ import annotations

import numpy as np
from keras import ops

from desertseg.augment.color import luma

TILES = 8


def clahe(images, clip):
    """Return images whose luminance is equalised within each of 8x8 tiles, as OpenCV's `createCLAHE` does it.

    The change of the luminance, rounded to whole levels first, is added to all three channels; the result is not
    clipped. A batch whose clip limits are all 0 is returned at no cost. Zuiderveld, Contrast limited adaptive
    histogram equalization, Graphics Gems IV (1994), in OpenCV's form: what is cut off is spread evenly, the rest of
    that over every n-th level; between the tiles' centres the four tables are mixed bilinearly.

    Args:
        images: float32 (B, H, W, 3) in [0, 255]; H and W at least 8.
        clip: float32 (B,), limit of a bin as a multiple of its fair share; 0 leaves a sample as it is.
    """

    def equalise():
        levels = ops.cast(ops.floor(luma(images)[..., 0] + 0.5), "int32")
        change = ops.cast(_equalised(levels, clip), "float32") - ops.cast(levels, "float32")
        return images + ops.where(clip[:, None, None] > 0, change, 0.0)[..., None]

    return ops.cond(ops.any(clip > 0), equalise, lambda: images)


def _equalised(levels, clip):
    """Return int32 (B, H, W) levels through their tiles' tables, mixed between the tiles' centres."""
    batch, height, width = levels.shape
    tile = -(-height // TILES), -(-width // TILES)
    tables = ops.reshape(_tables(levels, clip, tile), (-1,))
    first = ops.reshape(ops.arange(batch, dtype="int32") * TILES * TILES, (-1, 1, 1))
    (upper, lower, down), (left, right, across) = (
        _neighbours(length, step) for length, step in zip((height, width), tile, strict=True)
    )
    down, across = down[:, None], across[None]

    def read(row, column):
        place = first + (row[:, None] * TILES + column[None])
        return ops.take(tables, place * 256 + levels, axis=0)

    top = read(upper, left) * (1 - across) + read(upper, right) * across
    bottom = read(lower, left) * (1 - across) + read(lower, right) * across
    return ops.round(top * (1 - down) + bottom * down)


def _tables(levels, clip, tile):
    """Return float32 (B * 64, 256): the new level of each level, a table a tile."""
    batch, height, width = levels.shape
    area = tile[0] * tile[1]
    padding = [(0, 0), (0, tile[0] * TILES - height), (0, tile[1] * TILES - width)]
    # OpenCV repeats the picture beyond its border by reflection where the tiles do not fit it.
    padded = ops.pad(levels, padding, mode="reflect") if any(after for _, after in padding) else levels
    row, column = (np.arange(step * TILES, dtype=np.int32) // step for step in tile)
    place = ops.reshape(ops.arange(batch, dtype="int32") * TILES * TILES, (-1, 1, 1))
    place = place + (row[:, None] * TILES + column[None])
    index = ops.reshape(place * 256 + padded, (-1,))
    counts = ops.segment_sum(ops.ones_like(index), index, num_segments=batch * TILES * TILES * 256)
    counts = ops.reshape(counts, (batch, TILES * TILES, 256))
    limit = ops.cast(ops.maximum(ops.floor(clip * (area / 256)), 1), "int32")[:, None, None]
    excess = ops.sum(ops.maximum(counts - limit, 0), axis=-1, keepdims=True)
    share = excess // 256
    rest = excess - share * 256
    step = ops.maximum(256 // ops.maximum(rest, 1), 1)
    level = np.arange(256, dtype=np.int32)
    extra = ops.cast((level % step == 0) & (level // step < rest), "int32")
    total = ops.cumsum(ops.minimum(counts, limit) + share + extra, axis=-1)
    table = ops.round(ops.cast(total, "float32") * (255 / area))
    return ops.reshape(ops.minimum(table, 255), (-1, 256))


def _neighbours(length: int, tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each pixel of an axis, the two tiles whose centres enclose it and how far it is from the first."""
    place = np.arange(length, dtype=np.float32) / tile - np.float32(0.5)
    before = np.floor(place)
    share = (place - before).astype(np.float32)
    tiles = [np.clip(before + k, 0, TILES - 1).astype(np.int32) for k in (0, 1)]
    return tiles[0], tiles[1], share
