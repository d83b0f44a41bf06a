"""Progress on the terminal: one bar with rate and time left, and lines that stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _RateColumn(ProgressColumn):
    """Units a second over the recent past; rich's own speed is in bytes or in percent."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {self.unit}/s", style="cyan")


class ProgressLine:
    """What an engine function reports its progress to; `lines` collects what was printed."""

    def __init__(self, progress: Progress | None, task: Any, console: Console) -> None:
        self._progress, self._task, self._console = progress, task, console

    def advance(self, count: int = 1) -> None:
        if self._progress:
            self._progress.advance(self._task, count)

    def describe(self, text: str) -> None:
        if self._progress:
            self._progress.update(self._task, description=text)

    def note(self, text: str) -> None:
        """Print a line that stays above the bar."""
        (self._progress.console if self._progress else self._console).print(text, highlight=False, markup=False)


@contextmanager
def progress_line(title: str, total: int, unit: str, show: bool = True) -> Iterator[ProgressLine]:
    """Yield a `ProgressLine` over `total` units. Without a terminal only notes print; with show=False nothing.

    Args:
        title: what runs, left of the bar.
        total: how many units there are.
        unit: what is counted, for the rate: "images".
        show: whether anything is printed at all.
    """
    console = Console(quiet=not show, soft_wrap=True)
    if not console.is_terminal:
        yield ProgressLine(None, None, console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(
        *columns, _RateColumn(unit), TextColumn("left"), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        yield ProgressLine(bar, bar.add_task(title, total=total), console)
