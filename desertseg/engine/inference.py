"""From letterboxed images to answers at a frame's own resolution, compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
from keras import ops

from desertseg.data import Box
from desertseg.engine.compiled import compile_function
from desertseg.metrics import count_confusion
from desertseg.models import Segmenter

_SMALLEST = 1e-30  # keeps the logarithm of a probability finite


@dataclass(frozen=True)
class Views:
    """The views of a picture whose answers are averaged: test-time augmentation. One plain view by default.

    Attributes:
        scales: of the network's input, such as (0.75, 1.0, 1.25).
        flip: also look at each of them mirrored.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    @property
    def count(self) -> int:
        """Forward passes a picture; they cost as the squares of their scales."""
        return len(self.scales) * (2 if self.flip else 1)


class Inference:
    """A segmenter's forward pass with the way back to native resolution.

    The network sees a frame at its training size. Its logits are cut to the box that the frame fills and resized
    bilinearly to the native size; only then the class is chosen, so that no label is ever resampled. One program is
    compiled for each pair of box and native size.

    Args:
        segmenter: the model.
        loss: what `counts` measures beside the confusion matrix.
        views: with more than one, the probabilities of all of them are averaged, at native resolution.
        deterministic: the same bits in every run on a GPU as well, as the scores of a training should be.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        loss: keras.losses.Loss | None = None,
        views: Views | None = None,
        *,
        deterministic: bool = False,
    ) -> None:
        self.segmenter, self._deterministic = segmenter, deterministic
        self.loss = loss
        self.views = views or Views()
        self._label_program = lru_cache(maxsize=32)(self._build_labels)
        self._count_program = lru_cache(maxsize=32)(self._build_counts)

    def labels(self, images: Any, box: Box, native_size: tuple[int, int]) -> Any:
        """Return a device array, uint8 (B, Hn, Wn): the class of every native pixel.

        Args:
            images: uint8 (B, h, w, 3), letterboxed.
            box: where in (h, w) the frames lie.
            native_size: (Hn, Wn) of the frames.
        """
        return self._label_program(box, tuple(native_size))(images)

    def counts(self, images: Any, labels: Any, box: Box) -> tuple[Any, Any]:
        """Return device arrays: the confusion matrix int32 (C, C), truth in rows, and the batch's loss (0 without one).

        Args:
            images: uint8 (B, h, w, 3), letterboxed.
            labels: uint8 (B, Hn, Wn) truth at native size, 255 = ignore.
            box: where in (h, w) the frames lie.
        """
        return self._count_program(box, tuple(labels.shape[1:]))(images, labels)

    def _native_logits(self, images: Any, box: Box, native_size: tuple[int, int]) -> Any:
        """Return logits, or the logarithm of averaged probabilities, which a softmax leaves as they are."""
        if self.views.count == 1 and self.views.scales == (1.0,):
            return self._view(images, box, native_size, 1.0, False)
        total = ops.zeros(())
        for scale in self.views.scales:
            for flipped in (False, True)[: 2 if self.views.flip else 1]:
                total = total + ops.softmax(self._view(images, box, native_size, scale, flipped), axis=-1)
        return ops.log(ops.maximum(total / self.views.count, _SMALLEST))

    def _view(self, images: Any, box: Box, native_size: tuple[int, int], scale: float, flipped: bool) -> Any:
        """Return one view's logits, (B, Hn, Wn, C)."""
        height, width = images.shape[1:3]
        seen = images
        if scale != 1:
            seen = _resize(ops.cast(images, "float32"), (round(height * scale), round(width * scale)))
        logits = self.segmenter(ops.flip(seen, axis=2) if flipped else seen, training=False)
        logits = ops.flip(logits, axis=2) if flipped else logits
        if scale != 1:
            logits = _resize(logits, (height, width))
        logits = logits[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return _resize(logits, native_size)

    def _build_labels(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        def labels(images: Any) -> Any:
            return ops.cast(ops.argmax(self._native_logits(images, box, native_size), axis=-1), "uint8")

        return compile_function(self.segmenter, labels, deterministic=self._deterministic)

    def _build_counts(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        def counts(images: Any, labels: Any) -> tuple[Any, Any]:
            logits = self._native_logits(images, box, native_size)
            loss = self.loss(labels, logits) if self.loss else ops.zeros(())
            predictions = ops.cast(ops.argmax(logits, axis=-1), "int32")
            return count_confusion(ops.cast(labels, "int32"), predictions, self.segmenter.labels.num_classes, 255), loss

        return compile_function(self.segmenter, counts, deterministic=self._deterministic)


def _resize(x: Any, size: tuple[int, int]) -> Any:
    return ops.image.resize(x, size, interpolation="bilinear", data_format="channels_last")
