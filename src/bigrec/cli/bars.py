"""Progress on a terminal: a bar a task with rows a second and the time left, drawn with rich."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


@contextmanager
def draw_bars(console: Console, *, keep: bool) -> Iterator[TerminalProgress]:
    """Draw progress on a terminal for the length of a block.

    Args:
        console: the terminal.
        keep: whether finished bars stay on the screen.
    """
    bars = Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=not keep,
    )
    with bars:
        yield TerminalProgress(bars, keep=keep)


class TerminalProgress:
    """A bigrec.resources.Progress that is drawn."""

    def __init__(self, bars: Progress, *, keep: bool) -> None:
        self._bars = bars
        self._keep = keep
        self._task: TaskID | None = None
        self._rows = 0

    def start(self, task: str, total: int, unit: str) -> None:
        """Open a bar; the one before stays as it is, or goes."""
        if self._task is not None and not self._keep:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(task, total=total, unit=unit, rows=0)
        self._rows = 0

    def note(self, text: str) -> None:
        """Print words above the bars."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def advance(self, n_done: int, n_rows: int = 0) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._rows += n_rows
            self._bars.update(self._task, advance=n_done, rows=self._rows)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rows = task.fields.get("rows", 0)
        elapsed = task.finished_time or task.elapsed or 0
        if not rows or not elapsed:
            return Text("")
        return Text(f"{rows:>13,} rows {rows / elapsed / 1e6:6.2f} M rows/s", no_wrap=True)
