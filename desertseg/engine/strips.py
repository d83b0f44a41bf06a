"""Answers for huge frames, made a strip of rows at a time so that their logits never exist as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from desertseg.engine.compiled import compile_function
from desertseg.engine.interpolation import Taps, bilinear_taps, interpolate

LARGE = 4_000_000  # pixels of a frame above which it is answered by strips
STRIP_BYTES = 2**24  # of logits in a strip: small beside any frame, large beside what starting a program costs
_ROW_AXIS = {"alternatives": 2}  # of an answer; all others have rows on axis 1


def is_large(native_size: tuple[int, int]) -> bool:
    """Return whether a frame of this size is answered by strips."""
    return native_size[0] * native_size[1] > LARGE


class Strips:
    """From coarse logits to answers at native size, as the whole frame's program gives them.

    Bilinear resizing needs two coarse rows for a native one, so any strip of rows can be had by itself. All strips have
    the same number of rows, so that one program serves them; what the last one has beyond the frame is dropped.

    Args:
        finish: from the logits of a strip, one array float (1, R, Wn, C) for each view, and what else a call is given,
            to a dict of arrays; each has R rows, or every n-th of them.
        native_size: (Hn, Wn) of the frames.
        rows: in a strip; by default as many as `STRIP_BYTES` hold.
        stride: rows are a multiple of it: the n of answers that have every n-th row.
        deterministic: as in `compile_function`.
    """

    def __init__(
        self,
        finish: Callable[..., dict[str, Any]],
        native_size: tuple[int, int],
        *,
        rows: int | None = None,
        stride: int = 1,
        deterministic: bool = False,
    ) -> None:
        self.native_size, self._rows, self._stride, self._finish = native_size, rows, stride, finish
        self._program = compile_function(self._answer_strip, deterministic=deterministic)

    def answer(self, coarse: Sequence[Any], *inputs: Any, count: int | None = None) -> dict[str, np.ndarray]:
        """Return what `finish` gives, for whole frames, on the host.

        Args:
            coarse: logits of each view, float (B, h, w, C), of nothing but the frames; all of one shape.
            *inputs: handed to `finish` with every strip.
            count: how many of the B frames are answered; all by default.
        """
        batch, *_, channels = coarse[0].shape
        count = batch if count is None else count
        rows = self._rows or STRIP_BYTES // (4 * self.native_size[1] * channels * len(coarse))
        rows = _round_up(min(max(rows, 1), self.native_size[0]), self._stride)
        answers: dict[str, np.ndarray] = {}
        for frame in range(count):
            for start, strip in self._strips([view[frame : frame + 1] for view in coarse], rows, inputs):
                for name, values in strip.items():
                    axis = _ROW_AXIS.get(name, 1)
                    step = rows // values.shape[axis]
                    shape = list(values.shape)
                    shape[axis - 1 : axis + 1] = count, -(-self.native_size[0] // step)
                    whole = answers.setdefault(name, np.zeros(shape, values.dtype))
                    whole = np.moveaxis(whole, (axis - 1, axis), (0, 1))[frame, start // step :]
                    whole[: values.shape[axis]] = np.moveaxis(values, (axis - 1, axis), (0, 1))[0, : len(whole)]
        return answers

    def _strips(
        self, views: list[Any], rows: int, inputs: Sequence[Any]
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield (first row, answers on the host); while one strip is fetched the next is computed."""
        height, width = self.native_size
        beside = bilinear_taps(views[0].shape[1], height).up_to(_round_up(height, rows))
        columns = bilinear_taps(views[0].shape[2], width)
        running: list[tuple[int, dict[str, Any]]] = []
        for start in range(0, height, rows):
            running.append((start, self._program(views, beside.part(start, start + rows), columns, *inputs)))
            if len(running) > 1:
                yield _fetch(*running.pop(0))
        yield _fetch(*running.pop())

    def _answer_strip(self, views: Sequence[Any], rows: Taps, columns: Taps, *inputs: Any) -> dict[str, Any]:
        return self._finish([interpolate(view, rows, columns) for view in views], *inputs)


def _fetch(start: int, answers: dict[str, Any]) -> tuple[int, dict[str, np.ndarray]]:
    return start, {name: np.asarray(values) for name, values in answers.items()}


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
