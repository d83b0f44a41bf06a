"""The pictures of a run, redrawn while it goes on, as often as that costs next to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from desertseg.files import replacing
from desertseg.labels import LabelMap
from desertseg.report import draw_class_history, draw_curves

_SHARE = 0.03  # of the time may go into drawing: half a second of it every 16 s


class RunPlots:
    """Draws plots/curves.png and plots/class_iou.png after epochs; where these are short, after some of them.

    Args:
        folder: the run folder.
        labels: the label map of the run.
        clock: seconds, for tests.

    Attributes:
        problem: why the last drawing could not be written, None if it could.
    """

    def __init__(self, folder: Path, labels: LabelMap, clock: Callable[[], float] = time.perf_counter) -> None:
        self.folder, self.labels = folder / "plots", labels
        self.problem: str | None = None
        self._clock, self._due = clock, float("-inf")

    def draw(self, history: Sequence[Mapping[str, Any]], *, last: bool = False) -> bool:
        """Redraw, and return whether it was done; it always is with `last`, for the end of a training."""
        started = self._clock()
        if started < self._due and not last:
            return False
        try:
            with replacing(self.folder / "curves.png") as path:
                draw_curves(path, history)
            with replacing(self.folder / "class_iou.png") as path:
                draw_class_history(path, history, self.labels)
        except OSError as error:
            self.problem = f"{self.folder} cannot be written: {error.strerror or error}; training goes on"
        else:
            self.problem = None
        ended = self._clock()
        self._due = ended + (ended - started) / _SHARE
        return True
