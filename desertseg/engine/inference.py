"""From letterboxed images to answers at a frame's own resolution, compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
from keras import ops

from desertseg.data import Box
from desertseg.engine.compiled import compile_function
from desertseg.metrics import count_confusion
from desertseg.models import Segmenter


class Inference:
    """A segmenter's forward pass with the way back to native resolution.

    The network sees a frame at its training size. Its logits are cut to the box that the frame fills and resized
    bilinearly to the native size; only then the class is chosen, so that no label is ever resampled. One program is
    compiled for each pair of box and native size.
    """

    def __init__(self, segmenter: Segmenter, loss: keras.losses.Loss | None = None) -> None:
        self.segmenter = segmenter
        self.loss = loss
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
        logits = self.segmenter(images, training=False)
        logits = logits[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return ops.image.resize(logits, native_size, interpolation="bilinear", data_format="channels_last")

    def _build_labels(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        def labels(images: Any) -> Any:
            return ops.cast(ops.argmax(self._native_logits(images, box, native_size), axis=-1), "uint8")

        return compile_function(self.segmenter, labels)

    def _build_counts(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        def counts(images: Any, labels: Any) -> tuple[Any, Any]:
            logits = self._native_logits(images, box, native_size)
            loss = self.loss(labels, logits) if self.loss else ops.zeros(())
            predictions = ops.cast(ops.argmax(logits, axis=-1), "int32")
            return count_confusion(ops.cast(labels, "int32"), predictions, self.segmenter.labels.num_classes, 255), loss

        return compile_function(self.segmenter, counts)
