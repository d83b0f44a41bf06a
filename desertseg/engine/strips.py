"""Answers for huge frames, made a strip of rows at a time so that their logits never exist as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from desertseg.engine.compiled import compile_function
from desertseg.engine.interpolation import Taps, bilinear_taps, interpolate
from desertseg.labels import IGNORE_INDEX

LARGE = 4_000_000  # pixels of a frame above which it is answered by strips
STRIP_BYTES = 2**24  # of logits in a strip: small beside any frame, large beside what starting a program costs
_ROW_AXIS = {"alternatives": 2}  # of an answer; all others have rows on axis 1


def is_large(native_size: tuple[int, int]) -> bool:
    """Return whether a frame of this size is answered by strips."""
    return native_size[0] * native_size[1] > LARGE


class Strips:
    """From coarse logits to answers at native size, as the whole frame's program gives them.

    Bilinear resizing needs two coarse rows for a native one, so any strip of rows can be had by itself. All strips have
    the same number of rows, so that one program serves them; the last one begins early enough to fit, and its first
    rows are answered twice.

    Args:
        model: whose compiled functions these are.
        finish: from the logits of a strip, one array float (1, R, Wn, C) for each view, and what else a call is given,
            to a dict of arrays with R rows.
        native_size: (Hn, Wn) of the frames.
        rows: in a strip; by default as many as `STRIP_BYTES` hold.
        deterministic: as in `compile_function`.
    """

    def __init__(
        self,
        model: keras.Model,
        finish: Callable[..., dict[str, Any]],
        native_size: tuple[int, int],
        *,
        rows: int | None = None,
        deterministic: bool = False,
    ) -> None:
        self.native_size, self._rows, self._finish = native_size, rows, finish
        self._program = compile_function(model, self._answer_strip, deterministic=deterministic)

    def answer(self, coarse: Sequence[Any], *inputs: Any, count: int | None = None) -> dict[str, np.ndarray]:
        """Return what `finish` gives, for whole frames, on the host.

        Args:
            coarse: logits of each view, float (B, h, w, C), of nothing but the frames.
            *inputs: handed to `finish` with every strip.
            count: how many of the B frames are real; the rest is left 0.
        """
        batch = coarse[0].shape[0]
        answers: dict[str, np.ndarray] = {}
        for frame in range(batch if count is None else count):
            for start, strip in self._strips([view[frame : frame + 1] for view in coarse], inputs):
                for name, values in strip.items():
                    whole = answers.setdefault(name, _whole(name, values, batch, self.native_size[0]))
                    rows = slice(start, start + values.shape[_ROW_AXIS.get(name, 1)])
                    whole[_place(name, frame, rows)] = values
        return answers

    def total(self, coarse: Sequence[Any], truth: np.ndarray, *inputs: Any) -> dict[str, np.ndarray]:
        """Return what `finish` gives, added up over strips and frames in int64 or float64.

        Args:
            coarse: as for `answer`.
            truth: uint8 (B, Hn, Wn) labels on the host; `finish` is given a strip of them first.
            *inputs: handed to `finish` after it.
        """
        totals: dict[str, np.ndarray] = {}
        for frame in range(len(truth)):
            views = [view[frame : frame + 1] for view in coarse]
            for _, strip in self._strips(views, inputs, truth[frame : frame + 1]):
                for name, values in strip.items():
                    wide = np.float64 if values.dtype.kind == "f" else np.int64
                    totals[name] = totals.get(name, np.zeros(values.shape, wide)) + values
        return totals

    def _strips(
        self, views: list[Any], inputs: Sequence[Any], truth: np.ndarray | None = None
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield (first row, answers on the host); while one strip is fetched the next is computed."""
        old_height, old_width, channels = views[0].shape[1:]
        height, width = self.native_size
        rows = min(self._rows or max(1, STRIP_BYTES // (4 * width * channels * len(views))), height)
        row_taps, columns = bilinear_taps(old_height, height), bilinear_taps(old_width, width)
        running: list[tuple[int, dict[str, Any]]] = []
        for begin in range(0, height, rows):
            start = min(begin, height - rows)
            here = row_taps.part(start, start + rows)
            given = inputs if truth is None else (_rows_once(truth, start, rows, begin), *inputs)
            running.append((start, self._program(views, here, columns, *given)))
            if len(running) > 1:
                yield _fetch(running.pop(0))
        for last in running:
            yield _fetch(last)

    def _answer_strip(self, views: Sequence[Any], rows: Taps, columns: Taps, *inputs: Any) -> dict[str, Any]:
        return self._finish([interpolate(view, rows, columns) for view in views], *inputs)


def _fetch(running: tuple[int, dict[str, Any]]) -> tuple[int, dict[str, np.ndarray]]:
    start, answers = running
    return start, {name: np.asarray(values) for name, values in answers.items()}


def _rows_once(truth: np.ndarray, start: int, rows: int, fresh: int) -> np.ndarray:
    """Return a strip of the truth in which rows before `fresh`, counted with the strip before, are ignored."""
    strip = truth[:, start : start + rows]
    if start == fresh:
        return strip
    strip = strip.copy()
    strip[:, : fresh - start] = IGNORE_INDEX
    return strip


def _whole(name: str, values: np.ndarray, batch: int, height: int) -> np.ndarray:
    axis = _ROW_AXIS.get(name, 1)
    shape = list(values.shape)
    shape[axis], shape[axis - 1] = height, batch
    return np.zeros(shape, values.dtype)


def _place(name: str, frame: int, rows: slice) -> tuple[slice, ...]:
    before = (slice(None),) * (_ROW_AXIS.get(name, 1) - 1)
    return (*before, slice(frame, frame + 1), rows)
