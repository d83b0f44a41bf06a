"""Progress on the terminal: one bar with rate, facts and time left, and lines that stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from desertseg.memory import process_memory

_REST, _FACTS = 50, 62  # columns beside the bar: of a usual line, and of the facts of a training
_MEMORY_SECONDS = 1.0  # how long a reading of the memory is shown


class _RateColumn(ProgressColumn):
    """Units a second over the recent past; rich's own speed is in bytes or in percent."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {self.unit}/s", style="cyan")


class _BarColumn(BarColumn):
    """A bar that makes room for facts where the terminal is narrow."""

    def __init__(self, width: int) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self.width = width

    def render(self, task: Task) -> Any:
        room = self.width - _REST - (_FACTS if task.fields["facts"] else 0)
        self.bar_width = max(8, min(40, room))
        return super().render(task) if room > 0 else Text("")


class _FactsColumn(ProgressColumn):
    """The facts of a training; the only column that is cut short."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["facts"], no_wrap=True, overflow="ellipsis")


class ProgressLine:
    """What an engine function reports its progress to.

    Args:
        progress, task: rich's bar and its row; without a terminal there is none.
        console: where notes go.
    """

    def __init__(self, progress: Progress | None, task: Any, console: Console) -> None:
        self._progress, self._task, self._console = progress, task, console
        self._memory: tuple[float, int | None] = (0.0, None)

    def advance(self, count: int = 1) -> None:
        """Count units that are done."""
        if self._progress:
            self._progress.advance(self._task, count)

    def describe(self, text: str) -> None:
        """Say what is done now, left of the bar."""
        if self._progress:
            self._progress.update(self._task, description=text)

    def show(
        self, *, loss: float | None = None, data_wait: float | None = None, device_memory: int | None = None
    ) -> None:
        """Show facts of a training beside the rate, and the process's memory.

        Args:
            loss: the mean since the epoch began, or the last.
            data_wait: the share of the time, 0 to 1, in which the step waited for data.
            device_memory: bytes in use on the device, None where the backend does not say.
        """
        if not self._progress:
            return
        facts = [] if loss is None else [f"loss {loss:.4f}"]
        facts += [] if data_wait is None else [f"data wait {100 * data_wait:.0f}%"]
        used = self._process_memory()
        facts += [] if used is None else [f"RAM {format_bytes(used)}"]
        facts += [] if device_memory is None else [f"device {format_bytes(device_memory)}"]
        self._progress.update(self._task, facts="  ".join(facts))

    def note(self, text: str) -> None:
        """Print a line that stays above the bar."""
        (self._progress.console if self._progress else self._console).print(text, highlight=False, markup=False)

    def _process_memory(self) -> int | None:
        taken, used = self._memory
        if not taken or time.monotonic() - taken > _MEMORY_SECONDS:
            self._memory = time.monotonic(), process_memory()
            return self._memory[1]
        return used


def format_bytes(count: int) -> str:
    """Return a number of bytes as people read it: "812 MiB", "1.4 GiB"."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


@contextmanager
def progress_line(
    title: str, total: int, unit: str, show: bool = True, *, completed: int = 0
) -> Iterator[ProgressLine]:
    """Yield a `ProgressLine` over `total` units. Without a terminal only notes print; with show=False nothing.

    Args:
        title: what runs, left of the bar.
        total: how many units there are.
        unit: what is counted, for the rate: "images".
        show: whether anything is printed at all.
        completed: how many units were done before, as in a resumed run; they count for no rate.
    """
    console = Console(quiet=not show, soft_wrap=True)
    if not console.is_terminal:
        yield ProgressLine(None, None, console)
        return
    columns = (
        TextColumn("{task.description}"),
        _BarColumn(console.width),
        TextColumn("{task.completed}/{task.total}"),
        _RateColumn(unit),
        _FactsColumn(),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task: TaskID = bar.add_task(title, total=total, completed=completed, facts="")
        yield ProgressLine(bar, task, console)
