"""Frames larger than the network's input: windows that slide over them, blended where they overlap.

Each window is answered as a frame of its own, and its probabilities are added with a weight that falls towards its
sides as Hann's window does (sin^2), but stays at its height where a side lies on the frame's edge, because nothing else
covers that. The weights of all windows over a pixel are divided by their sum beforehand, so they add up to one and
nothing is normalised afterwards; a window that covers the frame has the weight one everywhere. The class is chosen
last.

Only the rows under one row of windows are held as probabilities. When the next row of windows begins, what lies above
it is complete and leaves, so beyond the frame and its answer the memory depends on the frame's width alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from desertseg.data import Box, letterbox
from desertseg.engine.compiled import compile_function
from desertseg.engine.inference import Inference
from desertseg.engine.pipeline import Pipeline
from desertseg.errors import UserError

Size = tuple[int, int]

WINDOW_ANSWERS = ("labels", "finite", "confidence", "entropy", "probabilities")


@dataclass(frozen=True)
class Windows:
    """Where windows of one size lie on a frame.

    Attributes:
        native_size: (height, width) of the frame.
        size: (height, width) of a window, nowhere larger than the frame.
        tops, lefts: of the rows and columns of windows, ascending; the first is 0, the last ends with the frame.
    """

    native_size: Size
    size: Size
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each window's weight by row, float32 (rows of windows, h), and by column; their product is its own."""
        return (
            _blend(self.native_size[0], self.size[0], self.tops),
            _blend(self.native_size[1], self.size[1], self.lefts),
        )


def place_windows(native_size: Size, window: Size, overlap: float = 0.5) -> Windows:
    """Return windows that cover a frame, spread evenly, so that each repeats at least `overlap` of the one before.

    Args:
        native_size: (height, width) of the frame.
        window: (height, width); what is larger than the frame is cut to it.
        overlap: share of a window, 0 to below 1.

    Raises:
        UserError: a window without pixels, or an overlap out of range.
    """
    if min(window) < 1:
        raise UserError(f"the window is {window[0]}x{window[1]}; give a height and a width of at least one pixel")
    if not 0 <= overlap < 1:
        raise UserError(f"the overlap is {overlap:g}; give a share of the window from 0 to below 1, such as 0.5")
    size = min(window[0], native_size[0]), min(window[1], native_size[1])
    tops, lefts = (_place(n, w, overlap) for n, w in zip(native_size, size, strict=True))
    return Windows(native_size, size, tops, lefts)


def label_large(
    inference: Inference,
    image: np.ndarray,
    window: Size,
    *,
    size: Size | None = None,
    resize: str = "letterbox",
    overlap: float = 0.5,
    want: Sequence[str] = ("labels",),
    bias: np.ndarray | None = None,
    batch_size: int = 4,
) -> dict[str, np.ndarray]:
    """Return what the model says about one frame through windows, at the frame's size, by name.

    "labels" uint8 (H, W), "finite" bool (H,), "confidence" and "entropy" float32 (H, W) and "probabilities" float16
    (H, W, C), as `Inference.answer` describes them. One window that covers the frame gives the whole frame's answer.

    Args:
        inference: the model with its views.
        image: uint8 (H, W, 3) RGB.
        window: (height, width) of a window, in pixels of the frame.
        size: (height, width) to which each window is brought for the network; None: it sees the window's own pixels.
        resize: how it is brought there, "letterbox" or "stretch".
        overlap: share of a window that the next one repeats, 0 to below 1.
        want: which answers.
        bias: float32 (C,) that is added to the logits.
        batch_size: windows a step.

    Raises:
        UserError: a window or an overlap out of range.
        ValueError: an answer that there is not.
    """
    unknown = set(want) - set(WINDOW_ANSWERS)
    if unknown:
        raise ValueError(f"want={tuple(want)} is not a choice of {WINDOW_ANSWERS}")
    native_size = (image.shape[0], image.shape[1])
    windows = place_windows(native_size, window, overlap)
    answer: dict[str, np.ndarray] = {}
    top = 0
    for rows in _blend_rows(inference, image, windows, size or windows.size, resize, bias, batch_size):
        for name, values in _describe(rows, want).items():
            if name not in answer:
                answer[name] = np.empty((native_size[0], *values.shape[1:]), values.dtype)
            answer[name][top : top + len(values)] = values
        top += len(rows)
    return answer


def _place(native: int, window: int, overlap: float) -> tuple[int, ...]:
    if window == native:
        return (0,)
    step = max(1, math.floor(window * (1 - overlap)))
    gaps = -(-(native - window) // step)
    return tuple(round(i * (native - window) / gaps) for i in range(gaps + 1))


def _blend(native: int, window: int, starts: tuple[int, ...]) -> np.ndarray:
    """Return float32 (windows, window): weights along one axis that add up to one at every pixel."""
    hann = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    weights = np.tile(hann, (len(starts), 1))
    weights[0, : (window + 1) // 2] = hann.max()  # nothing else covers the frame's edges
    weights[-1, window // 2 :] = hann.max()
    total = np.zeros(native)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + window] += weight
    return np.stack([w / total[s : s + window] for s, w in zip(starts, weights, strict=True)]).astype(np.float32)


@dataclass(frozen=True)
class _Batch:
    """Windows that are answered together: which (row, column) each is, their pixels, the box, and their weights."""

    places: tuple[tuple[int, int], ...]
    images: np.ndarray
    box: Box
    weights: tuple[np.ndarray, np.ndarray]


def _blend_rows(
    inference: Inference,
    image: np.ndarray,
    windows: Windows,
    size: Size,
    resize: str,
    bias: np.ndarray | None,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Yield the blended probabilities of the frame from its top down, float32 (rows, W, C)."""
    weigh = _weigher()

    def compute(batch: _Batch) -> dict[str, Any]:
        logits = inference.answer(batch.images, batch.box, windows.size, ("sample",), bias=bias)["sample"]
        return {"probabilities": weigh(logits, *batch.weights)}

    height = windows.size[0]
    band = np.zeros((height, windows.native_size[1], inference.segmenter.num_classes), np.float32)
    current = 0
    for batch, answer in Pipeline().run(_cut_windows(image, windows, size, resize, batch_size), compute):
        for (row, column), values in zip(batch.places, answer["probabilities"], strict=False):
            if row != current:
                done = windows.tops[row] - windows.tops[current]
                yield band[:done]
                band[: height - done] = band[done:]
                band[height - done :] = 0
                current = row
            left = windows.lefts[column]
            band[:, left : left + windows.size[1]] += values
    yield band


def _cut_windows(image: np.ndarray, windows: Windows, size: Size, resize: str, batch_size: int) -> Iterator[_Batch]:
    """Yield batches of windows, row by row; the last one is filled up with zeros, so that one program serves all."""
    by_row, by_column = windows.weights()
    places = [(r, c) for r in range(len(windows.tops)) for c in range(len(windows.lefts))]
    count = min(batch_size, len(places))
    (height, width), box = windows.size, Box(0, 0, *size)
    for begin in range(0, len(places), count):
        chosen = places[begin : begin + count]
        images = np.zeros((count, *size, 3), np.uint8)
        for i, (row, column) in enumerate(chosen):
            top, left = windows.tops[row], windows.lefts[column]
            images[i], box = letterbox(image[top : top + height, left : left + width], size, resize)
        filled = chosen + chosen[:1] * (count - len(chosen))
        weights = by_row[[r for r, _ in filled]], by_column[[c for _, c in filled]]
        yield _Batch(tuple(chosen), images, box, weights)


@lru_cache(maxsize=1)  # one compilation serves all frames
def _weigher() -> Callable[..., Any]:
    """Return a compiled function from logits (B, h, w, C) and weights (B, h), (B, w) to weighted probabilities."""

    def weigh(logits: Any, by_row: Any, by_column: Any) -> Any:
        weights = by_row[:, :, None, None] * by_column[:, None, :, None]
        return ops.softmax(logits, axis=-1) * weights

    return compile_function(weigh)


def _describe(probabilities: np.ndarray, want: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the answers from blended probabilities, float32 (rows, W, C)."""
    found: dict[str, np.ndarray] = {}
    if "labels" in want:
        found["labels"] = probabilities.argmax(axis=-1).astype(np.uint8)
    if "finite" in want:
        found["finite"] = np.isfinite(probabilities).all(axis=(1, 2))
    if "confidence" in want:
        found["confidence"] = probabilities.max(axis=-1)
    if "entropy" in want:
        logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
        found["entropy"] = -(probabilities * logs).sum(axis=-1) / math.log(max(2, probabilities.shape[-1]))
    if "probabilities" in want:
        found["probabilities"] = probabilities.astype(np.float16)
    return found
