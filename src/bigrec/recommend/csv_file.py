"""Csv files that people give: the one reader of all of them, which names the line of what is wrong.

A file is text in UTF-8, with or without a byte order mark, with any line ends. Its first line names
the columns; others than those asked for are left alone. A row is one line with a value for every
column, perhaps in double quotes. Empty lines at the end are no rows.
"""

from __future__ import annotations

import csv
import io
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bigrec.errors import DataError, RawFormatError
from bigrec.magic import HEAD_BYTES, TEXT, UNKNOWN, kind_of
from bigrec.schema import ITEM_ID
from bigrec.store.item_names import ITEM

_SHOWN_LENGTH: Final = 60
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class CsvFile:
    """A csv file that has been read, with the columns that its first line names."""

    def __init__(self, path: Path, what: str, expected: str, *, item_name: str = ITEM) -> None:
        """Read a file and its first line.

        Args:
            path: the file; characters that patterns are made of stand for themselves.
            what: its rows are, in a word for messages.
            expected: the columns in words, for messages.
            item_name: what the store's source calls an item; a column of that name is item_id.

        Raises:
            DataError: there is no such file, it is no csv file, or a column has two values.
        """
        self.path = path
        self._text = _read_text(path, expected)
        self._rows = self._parse()
        _, names = next(self._rows, (1, []))
        columns = [name.strip() for name in names]
        own = f"{item_name}_id"
        if ITEM_ID not in columns:
            columns = [ITEM_ID if name == own else name for name in columns]
        self.columns = columns
        """The columns' names, in the order of the file."""
        if not any(self.columns):
            raise DataError(
                f"{path} cannot be read as {what}: found no text in line 1, expected the columns "
                f"{expected}",
                hint="the first line names the columns, each other line is a row",
            )
        twice = [name for name in self.columns if self.columns.count(name) > 1]
        if twice:
            raise self._wrong_header(f"the column {twice[0]!r} once")
        self._expected = expected

    def position(self, *names: str) -> int:
        """The position of the first of these columns that the file has.

        Raises:
            RawFormatError: it has none of them.
        """
        for name in names:
            if name in self.columns:
                return self.columns.index(name)
        raise self._wrong_header(f"the columns {self._expected}")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row: its line, from 1, and a value for each column; to be read once.

        Raises:
            RawFormatError: a row has more or fewer values, or a quote stays open.
        """
        expected = f"one value for each of the {len(self.columns)} columns"
        empty_line = 0
        for line, cells in self._rows:
            if not cells:
                empty_line = empty_line or line
                continue
            if empty_line:
                raise self.wrong(empty_line, "", expected)
            if len(cells) != len(self.columns):
                raise self.wrong(line, ",".join(cells), expected)
            yield line, cells

    def wrong(self, line: int, found: str, expected: str) -> RawFormatError:
        """The error for what stands in a line."""
        hint = "correct or remove that line"
        return RawFormatError(self.path, line, found, expected, hint=hint)

    def _wrong_header(self, expected: str) -> DataError:
        found = ",".join(self.columns)[:_SHOWN_LENGTH]
        return DataError(
            f"{self.path}, line 1: found the header {found!r}, expected {expected}",
            hint="the first line names the columns, separated by commas",
        )

    def _parse(self) -> Iterator[tuple[int, list[str]]]:
        # Universal line ends, and no others: str.splitlines would cut at form feeds in titles.
        reader = csv.reader(io.StringIO(self._text, newline=None), strict=True)
        line = 1
        try:
            for cells in reader:
                if reader.line_num > line:
                    raise csv.Error
                yield line, cells
                line += 1
        except csv.Error:
            found = io.StringIO(self._text, newline=None).read().split("\n")[line - 1]
            raise self.wrong(line, found, "quotes that are closed before a comma") from None


def parse_decimal(text: str) -> float | None:
    """A decimal number, perhaps infinite by its exponent; None if the text is none."""
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def _read_text(path: Path, expected: str) -> str:
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            what = "a folder" if stat.S_ISDIR(mode) else "no file"
            raise DataError(f"{path} is {what}, expected a csv file with the columns {expected}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing", hint="check the path") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} cannot be read: {reason}") from error
    kind = kind_of(data[:HEAD_BYTES])
    if kind not in {TEXT, UNKNOWN}:  # of what else is no text, the line is named
        raise DataError(
            f"{path} is {kind}, expected a csv file with the columns {expected}",
            hint="save it as csv in UTF-8",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # As the lines end: \n, \r\n or \r.
        before = io.StringIO(data[: error.start].decode("latin-1"), newline=None).read()
        line = before.count("\n") + 1
        found = before[before.rfind("\n") + 1 :] + data[error.start : error.end].decode("latin-1")
        raise RawFormatError(
            path, line, found, "text in UTF-8", hint="save the file as csv in UTF-8"
        ) from error
