"""The only place that prints. stdout is data; stderr is words and progress.

What the system says of stdout is told as an error, never lost: a full disk behind it, a closed
one. Data is UTF-8 unless a terminal speaks something else; what that cannot show is written as an
escape, and so are control characters that data brings into tables and words.

Progress is drawn on stderr when that is a terminal, and not at all otherwise. rich is loaded when
it is first needed, since that takes a thirtieth of a second.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

from bigrec.errors import BigrecError, ResourceError
from bigrec.resources import Progress, Silent
from bigrec.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

_HIGHLIGHT: Final = "bold green"
_WIDTH_OF_PIPES: Final = 1 << 16  # characters of a line, more than any table has
_NARROWEST: Final = 20  # columns; COLUMNS may name fewer, or none


class ReaderGoneError(Exception):
    """The reader of stdout went away, as `head` does. Typer would end at an OSError."""


def print_json(value: object) -> None:
    """Print one JSON object: a summary's fields, or a mapping."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    print_line(json.dumps(value, default=_to_json, ensure_ascii=False))


def print_line(text: str) -> None:
    """Print a line of data on stdout."""
    print(text)


def print_note(text: str) -> None:
    """Print words for people on stderr; above the bars, if there are any."""
    console = _with_bars or _console_on_stderr()
    console.print(visible(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)


def print_warning(text: str) -> None:
    """Print a warning that should not be overlooked on stderr."""
    _console_on_stderr(highlight=False).print(
        visible(text, keep="\n"), style="bold yellow", markup=False, soft_wrap=True
    )


def print_fields(fields: dict[str, object]) -> None:
    """Print names and values as two aligned columns on stdout."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        print_line(f"{name:<{width}}  {visible(_format_cell(value))}".rstrip())


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    formats: Mapping[str, str] = {},
    highlight_cells: Collection[tuple[int, int]] = (),
) -> None:
    """Print a table on stdout; numbers are right-aligned. In a pipe, a row is a line.

    Args:
        columns: headings.
        rows: a value for each column; None leaves a cell empty.
        title: a line above the table.
        formats: how the numbers of a column are written, by its heading, where not as usual.
        highlight_cells: row and column of each cell that a terminal shows in colour.
    """
    from rich.table import Table
    from rich.text import Text

    console = _drawing_for(sys.stdout)
    table = Table(box=None)
    for index, name in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(
            Text(visible(name)), justify="right" if numeric else "left",
            no_wrap=numeric or not console.is_terminal,
        )  # fmt: skip
    for number, row in enumerate(rows):
        table.add_row(
            *(
                Text(
                    visible(_format_cell(cell, formats.get(columns[index], ""))),
                    _HIGHLIGHT if (number, index) in highlight_cells else "",
                )
                for index, cell in enumerate(row)
            )
        )
    if title:
        console.print(Text(visible(title), "bold"), soft_wrap=True)
    console.print(table)
    print_line("\n".join(line.rstrip() for line in _drawn(console).removesuffix("\n").split("\n")))


def print_error(error: BigrecError) -> None:
    """Print an error and its hint on stderr."""
    from rich.text import Text

    console = _console_on_stderr(highlight=False, soft_wrap=True)
    message, hint = (visible(text, keep="\n") for text in (error.message, error.hint))
    console.print(Text("error: ", style="bold red").append(message, style="not bold default"))
    if hint:
        console.print(Text("hint:  ", style="bold").append(hint, style="not bold"))


def print_usage_error(error: Exception) -> int:
    """Print what typer says of a wrong command line; return its exit code."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", 2)
    if show is not None:
        with suppress(OSError, SystemExit):  # of a stderr that takes nothing
            show()
    if re.match(r"-[^-a-zA-Z]", getattr(error, "option_name", "")):
        print_note("hint:  what begins with - and is no option goes behind --, as in: mf -- -5")
    return int(code)


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def is_terminal() -> bool:
    """Whether stdout is read by a person."""
    return sys.stdout.isatty()


def is_watched() -> bool:
    """Whether stderr is read by a person."""
    return sys.stderr is not None and sys.stderr.isatty()


def flush() -> None:
    """Write what waits to be written.

    Raises:
        ResourceError: stdout takes no more.
    """
    sys.stdout.flush()


def open_streams() -> None:
    """Make the process's streams ready for any text, and none of their numbers free.

    A closed stream leaves its number to the next file that is opened, into which the messages of
    libraries would then go.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(1, "w", closefd=False)),
        encoding=_encoding(sys.stdout),
        errors="backslashreplace",
        line_buffering=os.isatty(1),
    )
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding=_encoding(sys.stderr), errors="backslashreplace")


def _encoding(stream: TextIO | None) -> str:
    return stream.encoding if stream is not None and stream.isatty() else "utf-8"


class _Stdout(io.FileIO):
    """stdout, whose errors are those of bigrec whoever writes: it, typer or rich."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        except OSError as error:
            raise ResourceError(
                f"stdout takes no more: {error.strerror}",
                hint="free some space, or write elsewhere; what was written is not complete",
            ) from error


class _Stderr:
    """stderr, of which nobody's work depends: words that it does not take are lost."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what waits."""
        with suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


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

    console = Console(file=cast(IO[str], _Stderr()), **options)
    if console.width < _NARROWEST:
        console.width = _NARROWEST
    return console


def _drawing_for(stream: TextIO) -> Console:
    """A console that draws into memory what a stream shows: rich ends the program at a pipe."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        force_terminal=True if stream.isatty() else None,  # if not, variables may still say so
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.width = max(console.width, _NARROWEST) if console.is_terminal else _WIDTH_OF_PIPES
    return console


def _drawn(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)  # noqa: S101 - of `_drawing_for`
    return console.file.getvalue()


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
