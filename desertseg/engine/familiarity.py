"""How far frames lie from those that a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from keras import ops

from desertseg.data import Box, EvaluationBatch
from desertseg.data.appearance import describe_image
from desertseg.engine.compiled import compile_function
from desertseg.errors import UserError
from desertseg.models import Segmenter
from desertseg.models.embedding import embed_images
from desertseg.models.familiarity import Familiarity

MOST_FRAMES = 500  # that statistics are made of
LEAST_TRAIN, LEAST_VAL = 24, 6  # frames below which nothing is said of features
_PIXELS = 4000  # of a frame, looked at for its confidence

_Item = TypeVar("_Item")


class Embedder:
    """A model's pooled deepest features of letterboxed frames, without their bars; a program for each box.

    Args:
        segmenter: the model.
        deterministic: the same bits in every run on a GPU as well.
    """

    def __init__(self, segmenter: Segmenter, *, deterministic: bool = False) -> None:
        self.segmenter, self._deterministic = segmenter, deterministic
        self._program = lru_cache(maxsize=32)(self._build)

    def features(self, images: Any, box: Box | None = None) -> Any:
        """Return a device array, float32 (B, F), of uint8 images (B, h, w, 3); with a box of what lies in it."""
        return self._program(box)(images)

    def _build(self, box: Box | None) -> Callable[..., Any]:
        def features(images: Any) -> Any:
            return embed_images(self.segmenter, images, None if box is None else box.slices)

        return compile_function(features, self.segmenter, deterministic=self._deterministic)


class FamiliarityProbe:
    """How far frames lie from those that a model was trained on.

    Args:
        segmenter: the model, with a familiarity that knows features.

    Raises:
        UserError: it has none.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        known = segmenter.familiarity
        if known is None or not known.knows_features:
            raise UserError(
                "this model does not know what its training frames looked like: it was made before models kept that, "
                f"of fewer than {LEAST_TRAIN} training and {LEAST_VAL} validation frames, or is no best.keras"
            )
        self.segmenter, self.known = segmenter, known
        self._program = lru_cache(maxsize=32)(self._build)

    @property
    def threshold(self) -> float:
        """The distance beyond which a frame lies outside of what was trained on."""
        return self.known.threshold

    def distances(self, images: Any, box: Box | None = None) -> Any:
        """Return a device array, float32 (B,): see `Familiarity.distance`.

        Args:
            images: uint8 (B, h, w, 3), letterboxed; of another size than the training's they are resized to it.
            box: where in (h, w) the frames lie; the bars are then left out.
        """
        return self._program(box)(images)

    def trace(self, images: Any, box: Box | None = None) -> Any:
        """Return what `distances` does, from within a program that is being compiled.

        Where the same program runs the network on the same images, the compiler finds that the backbone runs twice and
        lets it run once: the distance is then free.
        """
        size = tuple(images.shape[1:3])
        trained = self.segmenter.size or size
        region = None if box is None else _scaled(box.slices, trained[0] / size[0], trained[1] / size[1])
        if trained != size:
            images = ops.image.resize(ops.cast(images, "float32"), trained, antialias=True, data_format="channels_last")
        return _distance(self.known, embed_images(self.segmenter, images, region))

    def _build(self, box: Box | None) -> Callable[..., Any]:
        return compile_function(lambda images: self.trace(images, box), self.segmenter)


def _scaled(region: tuple[slice, slice], rows: float, columns: float) -> tuple[slice, slice]:
    """Return rows and columns of a picture as those of one that is resized by two factors."""
    return slice(round(region[0].start * rows), round(region[0].stop * rows)), slice(
        round(region[1].start * columns), round(region[1].stop * columns)
    )


def _distance(known: Familiarity, features: Any) -> Any:
    """`Familiarity.distance` on the device; sums are written out, as a GPU rounds matrix products."""
    axes, variances = (ops.convert_to_tensor(x, "float32") for x in (known.axes, known.variances))
    deviation = features - ops.convert_to_tensor(known.mean, "float32")
    along = ops.sum(deviation[:, None] * axes[None], axis=2)
    rest = deviation - ops.sum(along[:, :, None] * axes[None], axis=1)
    squared = ops.sum(along**2 / variances, axis=1) + ops.sum(rest**2, axis=1) / known.residual
    return ops.sqrt(squared / deviation.shape[1])


def describe_batch(batch: EvaluationBatch) -> list[np.ndarray]:
    """Return `describe_image` of the real frames of a batch, at the network's size, without bars."""
    return [describe_image(image[batch.box.slices]) for image in batch.images[: batch.count]]


def pixel_stride(native_size: tuple[int, int]) -> int:
    """Return the stride at which a frame of a size gives about 4,000 pixels."""
    return max(1, math.ceil(math.sqrt(native_size[0] * native_size[1] / _PIXELS)))


def spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """Return at most `count` of the items, evenly from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[k] for k in np.linspace(0, len(items) - 1, count).round().astype(int)]
