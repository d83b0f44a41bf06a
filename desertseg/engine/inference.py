"""From letterboxed images to answers at a frame's own resolution, compiled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.data import Box
from desertseg.engine.compiled import compile_function
from desertseg.engine.familiarity import FamiliarityProbe
from desertseg.engine.interpolation import resize
from desertseg.engine.strips import Strips, is_large
from desertseg.errors import UserError, suggest
from desertseg.labels import LabelMap
from desertseg.metrics import count_confusion
from desertseg.models import Segmenter

_SMALLEST = 1e-30  # keeps the logarithm of a probability finite
_SUPPRESSED = -1e9  # added to a logit: its probability is 0, and nothing becomes infinite
_LOOKED_AT = 8  # every eighth pixel of a row: what is not finite in a network spreads wider than that
ANSWERS = ("labels", "finite", "confidence", "entropy", "probabilities", "alternatives", "sample", "distance")


def suppression_bias(labels: LabelMap, names: Sequence[str]) -> np.ndarray:
    """Return float32 (C,): what is to be added to the logits so that the named classes are never predicted.

    Raises:
        UserError: a name that is no class, or no class is left.
    """
    bias = np.zeros(labels.num_classes, np.float32)
    for name in names:
        if name not in labels.names:
            raise UserError(
                f"there is no class '{name}' to suppress{suggest(name, labels.names)}; "
                f"the model has {', '.join(labels.names)}"
            )
        bias[labels.names.index(name)] = _SUPPRESSED
    if bias.all():
        raise UserError("every class is suppressed; leave at least one")
    return bias


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

    segmenter: Any  # a Segmenter, or what stands in its place where the inference is another
    knows_probabilities = True

    def __init__(
        self,
        segmenter: Segmenter | Any,
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
        self._answer_program = lru_cache(maxsize=32)(self._build_answer)
        self._see_program = lru_cache(maxsize=32)(self._build_see)
        self._strip_program = lru_cache(maxsize=8)(self._build_strips)

    def check(self, want: Sequence[str], bias: np.ndarray | None = None) -> None:
        """Raise UserError where the model cannot give what is named, or under this bias; a segmenter can."""

    def labels(self, images: Any, box: Box, native_size: tuple[int, int]) -> Any:
        """Return a device array, uint8 (B, Hn, Wn): the class of every native pixel.

        Args:
            images: uint8 (B, h, w, 3), letterboxed.
            box: where in (h, w) the frames lie.
            native_size: (Hn, Wn) of the frames.
        """
        if is_large(native_size):
            return self.answer(images, box, native_size)["labels"]
        return self._label_program(box, tuple(native_size))(images)

    def counts(self, images: Any, labels: Any, box: Box) -> tuple[Any, Any]:
        """Return device arrays: the confusion matrix int32 (C, C), truth in rows, and the batch's loss (0 without one).

        Args:
            images: uint8 (B, h, w, 3), letterboxed.
            labels: uint8 (B, Hn, Wn) truth at native size, 255 = ignore.
            box: where in (h, w) the frames lie.
        """
        return self._count_program(box, tuple(labels.shape[1:]))(images, labels)

    def answer(
        self,
        images: Any,
        box: Box,
        native_size: tuple[int, int],
        want: Sequence[str] = ("labels",),
        *,
        bias: np.ndarray | None = None,
        alternatives: np.ndarray | None = None,
        stride: int = 1,
        count: int | None = None,
    ) -> dict[str, Any]:
        """Return arrays for every native pixel, by name; on the device, but for huge frames, which come by strips.

        - "labels" uint8 (B, Hn, Wn): the class
        - "finite" bool (B, Hn): whether every eighth pixel of a row got numbers, neither NaN nor infinite ones
        - "confidence" float32 (B, Hn, Wn): the largest probability; NaN where the network gave NaN
        - "entropy" float32 (B, Hn, Wn): of the probabilities, divided by that of C equal ones, so in [0, 1]
        - "probabilities" float16 (B, Hn, Wn, C)
        - "alternatives" uint8 (K, B, Hn, Wn): the class under each of K other biases
        - "sample" float32 (B, ceil(Hn / stride), ceil(Wn / stride), C): the logits of every `stride`-th row and column
        - "distance" float32 (B,): from the training frames, see `FamiliarityProbe`; free where the backbone runs anyway

        Args:
            images: uint8 (B, h, w, 3), letterboxed.
            box: where in (h, w) the frames lie.
            native_size: (Hn, Wn) of the frames.
            want: the names.
            bias: float32 (C,) that is added to the logits before all else, as `suppression_bias` gives it.
            alternatives: float32 (K, C), each added to the logits in place of `bias`.
            stride: of the sample.
            count: how many of the B images are frames; where they are huge, no others are answered.

        Raises:
            ValueError: a name that is no answer, or alternatives are wanted and not given.
        """
        unknown = set(want) - set(ANSWERS)
        if unknown or ("alternatives" in want) != (alternatives is not None):
            raise ValueError(f"want={tuple(want)} is not a choice of {ANSWERS} with what they need")
        classes = self.segmenter.labels.num_classes
        # None is another program: a bias that is added to so many logits doubles what a CPU takes for all of this.
        added = np.asarray(bias, np.float32) if bias is not None and np.any(bias) else None
        others = np.zeros((0, classes), np.float32) if alternatives is None else np.asarray(alternatives, np.float32)
        chosen = tuple(sorted(set(want)))
        if is_large(native_size):
            strips = self._strip_program(tuple(native_size), chosen, len(others), stride)
            found = strips.answer(self._see_program(box)(images), added, others, count=count)
            if "distance" in want:  # beside so many pixels another run of the backbone is nothing
                found["distance"] = FamiliarityProbe(self.segmenter).distances(images, box)
            return found
        return self._answer_program(box, tuple(native_size), chosen, len(others), stride)(images, added, others)

    def _see(self, images: Any, box: Box) -> list[Any]:
        """Return the logits of every view within the box, (B, h, w, C) each."""
        return [
            self._view(images, box, scale, flipped)
            for scale in self.views.scales
            for flipped in (False, True)[: 2 if self.views.flip else 1]
        ]

    def _view(self, images: Any, box: Box, scale: float, flipped: bool) -> Any:
        height, width = images.shape[1:3]
        seen = images
        if scale != 1:
            seen = resize(ops.cast(images, "float32"), (round(height * scale), round(width * scale)))
        logits = self.segmenter(ops.flip(seen, axis=2) if flipped else seen, training=False)
        logits = resize(ops.flip(logits, axis=2) if flipped else logits, (height, width))
        return logits[:, box.top : box.top + box.height, box.left : box.left + box.width]

    def _compile(self, box: Box, finish: Callable[..., Any]) -> Callable[..., Any]:
        """Return a compiled function of images, and of what else `finish` is given.

        Args:
            box: where in the images the frames lie.
            finish: takes the logits of every view within the box, the images, and what else a call is given.
        """

        def program(images: Any, *inputs: Any) -> Any:
            return finish(self._see(images, box), images, *inputs)

        return compile_function(program, self.segmenter, deterministic=self._deterministic)

    def _build_labels(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        return self._compile(box, lambda views, images: _choose(_merge_at(views, native_size)))

    def _build_answer(
        self, box: Box, native_size: tuple[int, int], want: tuple[str, ...], others: int, stride: int
    ) -> Callable[..., dict[str, Any]]:
        def answer(views: Sequence[Any], images: Any, bias: Any, alternatives: Any) -> dict[str, Any]:
            found = _describe(_merge_at(views, native_size), bias, alternatives, want, others, stride)
            if "distance" in want:
                found["distance"] = FamiliarityProbe(self.segmenter).trace(images, box)
            return found

        return self._compile(box, answer)

    def _build_see(self, box: Box) -> Callable[..., list[Any]]:
        return self._compile(box, lambda views, images: views)

    def _build_strips(self, native_size: tuple[int, int], want: tuple[str, ...], others: int, stride: int) -> Strips:
        def finish(views: Sequence[Any], bias: Any, alternatives: Any) -> dict[str, Any]:
            return _describe(_merge(views), bias, alternatives, want, others, stride)

        return Strips(finish, native_size, stride=stride, deterministic=self._deterministic)

    def _build_counts(self, box: Box, native_size: tuple[int, int]) -> Callable[..., Any]:
        def counts(views: Sequence[Any], images: Any, labels: Any) -> tuple[Any, Any]:
            logits = _merge_at(views, native_size)
            loss = self.loss(labels, logits) if self.loss else ops.zeros(())
            predictions = ops.cast(ops.argmax(logits, axis=-1), "int32")
            return count_confusion(ops.cast(labels, "int32"), predictions, self.segmenter.labels.num_classes, 255), loss

        return self._compile(box, counts)


def _choose(logits: Any) -> Any:
    return ops.cast(ops.argmax(logits, axis=-1), "uint8")


def _merge_at(views: Sequence[Any], native_size: tuple[int, int]) -> Any:
    return _merge([resize(logits, native_size) for logits in views])


def _merge(views: Sequence[Any]) -> Any:
    """Return logits, or the logarithm of averaged probabilities, which a softmax leaves as they are."""
    if len(views) == 1:
        return views[0]
    total = ops.zeros(())
    for logits in views:
        total = total + ops.softmax(logits, axis=-1)
    return ops.log(ops.maximum(total / len(views), _SMALLEST))


def _describe(
    plain: Any, bias: Any, alternatives: Any, want: Sequence[str], others: int, stride: int
) -> dict[str, Any]:
    """Return what `Inference.answer` lists, from logits (B, H, W, C)."""
    found: dict[str, Any] = {}
    logits = plain if bias is None else plain + bias
    if "alternatives" in want:
        found["alternatives"] = ops.stack([_choose(plain + alternatives[k]) for k in range(others)])
    if "labels" in want:
        found["labels"] = _choose(logits)
    if "finite" in want:
        found["finite"] = ops.all(ops.isfinite(logits[:, :, ::_LOOKED_AT]), axis=(2, 3))
    if "sample" in want:
        found["sample"] = logits[:, ::stride, ::stride]
    shifted = logits - ops.max(logits, axis=-1, keepdims=True)
    total = ops.sum(ops.exp(shifted), axis=-1)
    if "confidence" in want:
        found["confidence"] = 1 / total
    if "entropy" in want:
        mean = ops.sum(ops.exp(shifted) * shifted, axis=-1) / total
        found["entropy"] = (ops.log(total) - mean) / math.log(max(2, logits.shape[-1]))
    if "probabilities" in want:
        found["probabilities"] = ops.cast(ops.exp(shifted) / total[..., None], "float16")
    return found
