"""The only place that prints. stdout is data; stderr is words and progress.

Progress is drawn on stderr when that is a terminal, and not at all otherwise. rich is loaded when
it is first needed, since that takes a thirtieth of a second.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import BigrecError
from bigrec.resources import Progress, Silent

if TYPE_CHECKING:
    from rich.console import Console

_HIGHLIGHT: Final = "bold green"


def print_json(value: object) -> None:
    """Print one JSON object: a summary's fields, or a mapping."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    print(json.dumps(value, default=_to_json, ensure_ascii=False))


def print_line(text: str) -> None:
    """Print a line of data on stdout."""
    print(text)


def print_note(text: str) -> None:
    """Print words for people on stderr; above the bars, if there are any."""
    console = _with_bars or _console_on_stderr()
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_warning(text: str) -> None:
    """Print a warning that should not be overlooked on stderr."""
    _console_on_stderr(highlight=False).print(
        text, style="bold yellow", markup=False, soft_wrap=True
    )


def print_fields(fields: dict[str, object]) -> None:
    """Print names and values as two aligned columns on stdout."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        print(f"{name:<{width}}  {_format_cell(value)}".rstrip())


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    formats: Mapping[str, str] = {},
    highlight_cells: Collection[tuple[int, int]] = (),
) -> None:
    """Print a table on stdout; numbers are right-aligned.

    Args:
        columns: headings.
        rows: a value for each column; None leaves a cell empty.
        title: a line above the table.
        formats: how the numbers of a column are written, by its heading, where not as usual.
        highlight_cells: row and column of each cell that a terminal shows in colour.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", title_style="bold", box=None)
    for index, name in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    for number, row in enumerate(rows):
        table.add_row(
            *(
                Text(
                    _format_cell(cell, formats.get(columns[index], "")),
                    _HIGHLIGHT if (number, index) in highlight_cells else "",
                )
                for index, cell in enumerate(row)
            )
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)


def print_error(error: BigrecError) -> None:
    """Print an error and its hint on stderr."""
    from rich.text import Text

    console = _console_on_stderr(highlight=False, soft_wrap=True)
    console.print(Text("error: ", style="bold red").append(error.message, style="not bold default"))
    if error.hint:
        console.print(Text("hint:  ", style="bold").append(error.hint, style="not bold"))


def print_usage_error(error: Exception) -> int:
    """Print what typer says of a wrong command line; return its exit code."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", 2)
    if show is not None:
        show()
    return int(code)


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class _Words(Silent):
    """Progress where there is no terminal: only what is said in words."""

    def note(self, text: str) -> None:
        """Print it."""
        print_note(text)


_with_bars: Console | None = None


@contextmanager
def progress_bars(*, keep: bool = True) -> Iterator[Progress]:
    """A progress display on stderr for the length of a block.

    Args:
        keep: whether finished bars stay on the screen.
    """
    global _with_bars
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Words()
        return
    from bigrec.cli.bars import draw_bars

    _with_bars = _console_on_stderr()
    try:
        with draw_bars(_with_bars, keep=keep) as bars:
            yield bars
    finally:
        _with_bars = None


def _console_on_stderr(**options: Any) -> Console:
    from rich.console import Console

    return Console(stderr=True, **options)


def _format_cell(value: object, number_format: str = "") -> str:
    if value is None:
        return ""
    if number_format:
        return format(value, number_format)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return str(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, Path | dt.date):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
