"""An exported file against the model that it was made of: what they answer, and how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from desertseg.data.synthetic import DOMAINS, draw_frame
from desertseg.engine.compiled import compile_function
from desertseg.export.plan import Plan, widened
from desertseg.export.program import as_computed, make_program
from desertseg.models import Segmenter
from desertseg.runtimes import Exported

DEFAULT_SIZE = (192, 320)  # of a model that knows none
_SMALLEST = 64  # a side: below it deep features are single pixels
_WARM_UP, _CALLS = 3, 20


@dataclass(frozen=True)
class Comparison:
    """How alike two answers are.

    Attributes:
        max_difference: the largest absolute difference of a logit; None where the file answers with labels.
        agreement: the share of pixels with the same class.
        frames: how many were compared.
        sizes: (height, width) of them.
    """

    max_difference: float | None
    agreement: float
    frames: int
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Timing:
    """Median seconds of one call each, taken in turns.

    Attributes:
        exported: the file's.
        keras: the model's, on the backend that runs.
        size: (height, width) of the images.
        batch: images a call.
    """

    exported: float
    keras: float
    size: tuple[int, int]
    batch: int


class Reference:
    """The model itself, computing in float32 what the plan asks for.

    Args:
        segmenter: the model.
        plan: of the export.
    """

    def __init__(self, segmenter: Segmenter, plan: Plan) -> None:
        model = as_computed(segmenter, widened(plan))
        self._program = compile_function(make_program(model, plan), model)
        self._plan, self._size = plan, plan.size or segmenter.size or DEFAULT_SIZE

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at which the two are timed."""
        return self._size

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers."""
        return np.asarray(self._program(images))

    def draw(self, size: tuple[int, int], count: int, first: int = 0) -> np.ndarray:
        """Return uint8 (count, h, w, 3): procedural frames of one desert after another."""
        domains = list(DOMAINS)
        numbers = range(first, first + count)
        return np.stack([_draw(7, number, domains[number % len(domains)], size) for number in numbers])

    def compare(self, exported: Exported) -> Comparison:
        """Return how alike the answers are, at the size of the plan, or where any is taken at three."""
        sizes = [self._size] if self._plan.size else _several(self._size)
        differences, alike, frames = [], [], 0
        for number, size in enumerate(sizes):
            images = self.draw(size, self._plan.batch or 2, first=2 * number)
            found, expected = exported.run(images), self.run(images.astype(self._plan.input))
            if self._plan.answer == "logits":
                differences.append(float(np.abs(found - expected).max()))
                found, expected = found.argmax(-1), expected.argmax(-1)
            alike.append((found == expected).reshape(-1))
            frames += len(images)
        largest = max(differences) if differences else None
        return Comparison(largest, float(np.concatenate(alike).mean()), frames, tuple(sizes))

    def time(self, exported: Exported) -> Timing:
        """Return what a call takes each of the two, one after the other, so that both see the same machine."""
        images = self.draw(self._size, self._plan.batch or 1).astype(self._plan.input)
        its, ours = time_in_turns([lambda: exported.run(images), lambda: self.run(images)])
        return Timing(its, ours, self._size, len(images))


def time_in_turns(calls: list[Callable[[], Any]], count: int = _CALLS) -> list[float]:
    """Return the median seconds of each call, of `count` rounds in which each is made once."""
    for _ in range(_WARM_UP):
        for call in calls:
            call()
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(count):
        for call, taken in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def _several(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return a size, a smaller odd one of another shape, and an upright one."""
    height, width = (max(_SMALLEST, side) for side in size)
    return [size, (height * 3 // 4 | 1, width // 2 | 1), (max(_SMALLEST, width // 2), max(_SMALLEST, height // 2))]


def _draw(seed: int, number: int, domain: str, size: tuple[int, int]) -> np.ndarray:
    """Return one frame; sizes below what can be drawn are cut from a larger one."""
    drawn = draw_frame(seed, number, domain, (max(32, size[0]), max(32, size[1])))[0]
    return drawn[: size[0], : size[1]]
