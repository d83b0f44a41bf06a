"""Frames for scoring and prediction: the image at the network's size, the labels at the mask's own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.letterbox import Box, check_resize, fit_box, letterbox
from desertseg.data.read import read_image, read_pair
from desertseg.data.source import check_at_least
from desertseg.errors import UserError
from desertseg.labels import IGNORE_INDEX, LabelMap

# Frame, native size, native image where it is kept, image at size, native labels.
_Loaded = tuple[Frame, tuple[int, int], np.ndarray | None, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class EvaluationBatch:
    """Consecutive frames of one native size, filled up to `batch_size` so that shapes stay few.

    Attributes:
        frames: the real frames, `count` of them.
        images: uint8 RGB (B, h, w, 3) at the network's size, letterboxed; black beyond `count`.
        labels: uint8 (B, H, W) at native size, 255 beyond `count`; None where none were asked for.
        native_size: (H, W) of every frame here.
        box: where each frame lies in its image.
        count: how many of the B are real.
        natives: the decoded images at native size, where they were asked for, else empty.
    """

    frames: tuple[Frame, ...]
    images: np.ndarray
    labels: np.ndarray | None
    native_size: tuple[int, int]
    box: Box
    count: int
    natives: tuple[np.ndarray, ...] = ()


def load_evaluation(
    frames: Sequence[Frame],
    size: tuple[int, int],
    *,
    batch_size: int,
    labels: LabelMap | None,
    resize: str = "letterbox",
    workers: int = 2,
    on_error: Callable[[Frame, UserError], None] | None = None,
    keep_native: bool = False,
) -> Iterator[EvaluationBatch]:
    """Return batches of `frames` in their order; a change of native size begins a new batch.

    Args:
        frames: what to read.
        size: (height, width) that the network takes.
        batch_size: images in a batch.
        labels: reads the masks; None for images alone.
        resize: "letterbox" or "stretch".
        workers: threads that decode ahead.
        on_error: is given each frame that cannot be read, with the reason, and the frame is left out; without it the
            reason is raised.
        keep_native: whether to hand over the decoded images too, such as to draw on them.

    Raises:
        DataError, LabelError: a file that cannot be used, when its turn comes.
    """
    check_at_least(1, height=size[0], width=size[1], batch_size=batch_size, workers=workers)
    check_resize(resize)

    def load(frame: Frame) -> _Loaded:
        if labels is None:
            image, indices = read_image(frame.image), None
        elif frame.mask is None:
            raise DataError(f"image {frame.image} has no mask to score against; add it or remove the image")
        else:
            image, indices = read_pair(frame.image, frame.mask, labels)
        native_size = (image.shape[0], image.shape[1])
        return frame, native_size, image if keep_native else None, letterbox(image, size, resize)[0], indices

    return _batch(_load_ahead(frames, load, workers, batch_size, on_error), batch_size, size, resize)


def _load_ahead(
    frames: Sequence[Frame],
    load: Callable[[Frame], _Loaded],
    workers: int,
    batch_size: int,
    on_error: Callable[[Frame, UserError], None] | None,
) -> Iterator[_Loaded]:
    """Yield loaded frames in order while threads decode the next ones, at most one batch and a few more."""
    pending: deque[tuple[Frame, Future[_Loaded]]] = deque()
    rest = iter(frames)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="desertseg-decode")
    try:
        while True:
            while len(pending) < batch_size + workers and (frame := next(rest, None)) is not None:
                pending.append((frame, pool.submit(load, frame)))
            if not pending:
                return
            frame, loaded = pending.popleft()
            try:
                result = loaded.result()
            except UserError as error:
                if on_error is None:
                    raise
                on_error(frame, error)
            else:
                yield result
    finally:  # also where the consumer stops early
        pool.shutdown(wait=False, cancel_futures=True)


def _batch(loaded: Iterator[_Loaded], batch_size: int, size: tuple[int, int], resize: str) -> Iterator[EvaluationBatch]:
    run: list[_Loaded] = []
    for item in loaded:
        if run and (len(run) == batch_size or run[0][1] != item[1]):
            yield _stack(run, batch_size, size, resize)
            run = []
        run.append(item)
    if run:
        yield _stack(run, batch_size, size, resize)


def _stack(run: list[_Loaded], batch_size: int, size: tuple[int, int], resize: str) -> EvaluationBatch:
    height, width = run[0][1]
    images = np.zeros((batch_size, *size, 3), np.uint8)
    labels = None if run[0][4] is None else np.full((batch_size, height, width), IGNORE_INDEX, np.uint8)
    for i, (_, _, _, image, indices) in enumerate(run):
        images[i] = image
        if labels is not None and indices is not None:
            labels[i] = indices
    return EvaluationBatch(
        frames=tuple(frame for frame, *_ in run),
        images=images,
        labels=labels,
        native_size=(height, width),
        box=fit_box((height, width), size, resize),
        count=len(run),
        natives=tuple(native for _, _, native, *_ in run if native is not None),
    )
