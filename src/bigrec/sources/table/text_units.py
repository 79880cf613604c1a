"""One unit of delimited text: the compiled loop, and row by row what that leaves."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from bigrec.errors import DataError
from bigrec.schema import BY_DAY, BY_SECOND, NO_TIME
from bigrec.sources.contract import ReadAgain
from bigrec.sources.fields import NEWLINE, OK
from bigrec.sources.keys import KEY_PADDING, Keys
from bigrec.sources.lines import count_lines
from bigrec.sources.parsed import BadLine, KeyedRows, require_few_bad_lines
from bigrec.sources.raw import RawFile
from bigrec.sources.table.plan import BLANKS, ISO, ITEM, RATING, TIME, USER, TablePlan
from bigrec.sources.table.text_kernels import (
    DATES,
    ITEM_ROLE,
    NO_TIMES,
    NUMBERS,
    ONLY_ROLE,
    OPEN_QUOTE,
    RATING_ROLE,
    TIME_ROLE,
    USER_ROLE,
    parse_table,
)
from bigrec.sources.table.text_rows import TextRow, read_row, record_end
from bigrec.sources.units import RawUnit, UnitText, read_unit
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_ROLES: Final = {USER: USER_ROLE, ITEM: ITEM_ROLE, RATING: RATING_ROLE, TIME: TIME_ROLE}
_TICKS: Final = {"milliseconds": 1000, "microseconds": 1_000_000}
_DAY: Final = 86_400
_OUT: Final = (
    ("user start", np.int32), ("user length", np.int32), ("item start", np.int32),
    ("item length", np.int32), ("rating", np.float32), ("day", np.int32), ("second", np.int32),
)  # fmt: skip
_MAX_RECORD_BYTES: Final = 1 << 20


class TextTable(Protocol):
    """What a unit needs to know of its table."""

    plan: TablePlan
    loop: Loop
    cuts_quotes: bool
    """Whether units end outside of quotes."""
    found_line_ends: bool
    """Whether fields in quotes hold line ends, so that they must."""

    @property
    def time_unit(self) -> str:
        """What is kept of times."""

    @property
    def days_are_guessed(self) -> bool:
        """Whether only the first rows say that times are whole days."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the scale that somebody gave."""

    @property
    def forgets_ratings(self) -> bool:
        """Whether the column of ratings is not read."""


@dataclass(frozen=True)
class Loop:
    """What the compiled loop is told of a table."""

    separator: int
    second_separator: int
    quoted: bool
    blanks: bool
    ends_with_separator: bool
    roles: Array
    time_kind: int
    ticks: int
    days_of_tick: int
    ends: Array
    no_rating: Array
    only: Array

    @classmethod
    def of_plan(cls, plan: TablePlan, ends: tuple[float, float] | None) -> Loop:
        """What a plan says.

        Args:
            plan: of a table of text.
            ends: of the scale, where somebody gave them.
        """
        forgets = plan.no_rating_rows == "implicit"
        dialect = plan.dialect
        assert dialect is not None  # noqa: S101 - text has one
        roles = np.zeros(len(plan.names), np.int8)
        for role, position in plan.columns.items():
            roles[position] = _ROLES[role]
        only = b""
        for position, text in plan.only.items():
            roles[position] = ONLY_ROLE
            only = text.encode()
        separator = dialect.separator.encode()
        kind = NO_TIMES
        if TIME in plan.columns:
            kind = DATES if plan.time_unit in (ISO, None) else NUMBERS
        return cls(
            separator[0],
            separator[1] if len(separator) > 1 else 0,
            dialect.quoted,
            dialect.separator == BLANKS,
            dialect.ends_with_separator,
            roles,
            kind,
            _TICKS.get(plan.time_unit or "", 1),
            _DAY if plan.time_unit == "days" else 1,
            np.array(ends or (-np.inf, np.inf)),
            np.array(() if forgets else plan.no_rating, np.float64),
            np.frombuffer(only, np.uint8),
        )


class UnitParser:
    """Parses one unit: the loop for what is usual, and row by row what is not.

    Args:
        source: the table.
        unit: the unit.
        workspace: scratch memory, which holds the result.
        skip_bad: whether rows that break the grammar are left out, and noted.
    """

    def __init__(
        self, source: TextTable, unit: RawUnit, workspace: Workspace, *, skip_bad: bool
    ) -> None:
        self._source, self._plan, self._loop = source, source.plan, source.loop
        self._skip_bad = skip_bad
        self._encoding = self._plan.dialect.encoding if self._plan.dialect else "utf-8"
        self._text = read_unit(unit, workspace)
        self._raw = self._text
        self._as_utf8()
        n_most = self._text.edges[-1] // (len(self._loop.roles) + 2) + 1
        self._out = tuple(workspace.array(name, n_most, kind) for name, kind in _OUT)
        self._n_rows = 0
        self._extra = bytearray()
        self._extra_rows: list[tuple[int, int]] = []  # row, offset of its line
        self._bad_lines: list[tuple[int, BadLine]] = []

    def parse(self) -> KeyedRows:
        """The rows of the unit.

        Raises:
            RawFormatError: a row breaks the grammar, and such rows are not to be skipped.
            DataError: times of the day come where days were expected.
            ReadAgain: units are to be cut outside of quotes.
        """
        n_lines = []
        for number in range(len(self._text.unit.pieces)):
            self._parse_piece(number)
            start, end = self._text.edges[number : number + 2]
            n_lines.append(count_lines(self._text.buffer[start:end]))
        text = self._text.buffer
        if self._extra:
            text = np.concatenate(
                (text, np.frombuffer(bytes(self._extra) + bytes(KEY_PADDING), np.uint8))
            )
        n = self._n_rows
        user_start, user_length, item_start, item_length, rating, day, second = (
            column[:n] for column in self._out
        )
        time_unit = self._source.time_unit
        if time_unit == BY_DAY and self._source.days_are_guessed and second.any():
            raise DataError(
                f"{self._text.unit.files[0].label} has days in its first rows and times of the day "
                "later",
                hint="say --time days to keep the days, or --time seconds",
            )
        return KeyedRows(
            Keys(text, item_start.astype(np.int64), item_length),
            Keys(text, user_start.astype(np.int64), user_length),
            rating if RATING in self._plan.columns and not self._source.forgets_ratings else None,
            None if time_unit == NO_TIME else day,
            second if time_unit == BY_SECOND else None,
            n_lines=tuple(n_lines),
            bad_lines=self._bad_lines,
        )

    def line_of(
        self, row: int, first_lines: dict[RawFile, int], first_line: int
    ) -> tuple[RawFile, int, str]:
        """The file, line number and text of a row, once the unit is parsed.

        Args:
            row: its position.
            first_lines: number of the first line of this unit's part of a file.
            first_line: the same of files that begin here.
        """
        offset = min(int(self._out[0][row]), int(self._out[2][row]))
        if offset >= len(self._text.buffer):
            offset = dict(self._extra_rows)[row]
        number = int(np.searchsorted(self._text.edges, offset, side="right")) - 1
        start, _, found = self._text.line_at(number, offset)
        file = self._text.unit.pieces[number].file
        before = count_lines(self._text.buffer[self._text.edges[number] : start])
        return file, first_lines.get(file, first_line) + before, found

    def _as_utf8(self) -> None:
        """Turn text of another encoding into UTF-8."""
        text = self._text
        content = text.buffer[: text.edges[-1]]
        if self._encoding == "utf-8" or not (content & 0x80).any():
            return
        pieces = [
            content[start:end].tobytes().decode(self._encoding, "replace").encode()
            for start, end in zip(text.edges, text.edges[1:], strict=False)
        ]
        edges = [0, *np.cumsum([len(piece) for piece in pieces]).tolist()]
        padding = bytes(len(text.buffer) - text.edges[-1])
        self._text = UnitText(text.unit, np.frombuffer(b"".join(pieces) + padding, np.uint8), edges)

    def _parse_piece(self, number: int) -> None:
        begin, end = self._text.edges[number : number + 2]
        loop, first_row, n_bad = self._loop, self._n_rows, len(self._bad_lines)
        by_row = _lines_with_nul(self._text.buffer, begin, end)  # the loop does not look for it
        position, is_checked = begin, self._encoding != "utf-8"
        while position < end:
            following = bisect_left(by_row, position)
            stop = by_row[following] if following < len(by_row) else end
            if stop == position:
                position = self._parse_row(number, position, end)
                continue
            code, offset, self._n_rows, beyond = parse_table(
                self._text.buffer, position, stop, loop.separator, loop.second_separator,
                loop.quoted, loop.blanks, loop.ends_with_separator, loop.roles, loop.time_kind,
                loop.ticks, loop.days_of_tick, loop.ends, loop.no_rating, loop.only, self._out,
                self._n_rows,
            )  # fmt: skip
            if beyond and not is_checked:
                is_checked = True
                if not _is_utf8(self._text.buffer[begin:end]):
                    self._n_rows = first_row
                    del self._bad_lines[n_bad:]
                    self._parse_by_row(number, begin, end)
                    return
            if code == OK:
                position = stop
                continue
            if code == OPEN_QUOTE and not self._text.unit.pieces[number].ends_file:
                self._require_quotes()
            position = self._parse_row(number, offset, end)

    def _require_quotes(self) -> None:
        """Cut outside of quotes from now on: a field in quotes goes beyond a unit."""
        if not self._source.cuts_quotes:
            self._source.found_line_ends = True
            raise ReadAgain

    def _parse_by_row(self, number: int, position: int, end: int) -> None:
        """Parse a piece that is not all UTF-8."""
        while position < end:
            position = self._parse_row(number, position, end)

    def _parse_row(self, number: int, offset: int, end: int) -> int:
        """Look at the row at an offset; where the next one begins."""
        buffer = self._text.buffer
        stop = min(end, offset + _MAX_RECORD_BYTES)
        raw = buffer[offset:stop].tobytes()
        size = _record_bytes(raw, self._plan)
        line = raw[:size].removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
        row = read_row(line, self._plan, self._source.ends)
        if isinstance(row, TextRow):
            self._add(row, offset)
        elif row is not None:
            size = raw.find(b"\n") + 1 or len(raw)
            self._note_bad(number, offset, row)
        return offset + size

    def _add(self, row: TextRow, offset: int) -> None:
        n = self._n_rows
        start = len(self._text.buffer) + len(self._extra)
        self._extra += row.user + row.item
        self._extra_rows.append((n, offset))
        values = (
            start, len(row.user), start + len(row.user), len(row.item), row.rating, row.day,
            row.second,
        )  # fmt: skip
        for column, value in zip(self._out, values, strict=True):
            column[n] = value
        self._n_rows += 1

    def _note_bad(self, number: int, offset: int, expected: str) -> None:
        path = self._text.unit.pieces[number].file.label
        if not self._skip_bad:
            if self._text is not self._raw:
                before = self._text.buffer[self._text.edges[number] : offset].tobytes()
                offset = self._raw.edges[number] + len(before.decode().encode(self._encoding))
            raise self._raw.bad_line(number, offset, expected).error()
        _, _, found = self._text.line_at(number, offset)
        line = count_lines(self._text.buffer[self._text.edges[number] : offset])
        self._bad_lines.append((number, BadLine(path, line, found, expected)))
        require_few_bad_lines(path, len(self._bad_lines))


def _lines_with_nul(text: Array, begin: int, end: int) -> list[int]:
    """Where the lines between two positions begin that hold a NUL byte."""
    piece = text[begin:end]
    if not len(piece) or piece.min():
        return []
    ends = np.flatnonzero(piece == NEWLINE)
    before = np.searchsorted(ends, np.flatnonzero(piece == 0))
    starts: list[int] = (np.append(0, ends + 1)[np.unique(before)] + begin).tolist()
    return starts


def _record_bytes(raw: bytes, plan: TablePlan) -> int:
    """Bytes of the record at the beginning of some text."""
    text = raw.decode("latin-1")  # so that a character is a byte

    def line_end(position: int) -> int:
        return text.find("\n", position) + 1 or -1

    end = record_end(text, plan, line_end)
    return end if end > 0 else len(raw)


def _is_utf8(text: Array) -> bool:
    try:
        text.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True
