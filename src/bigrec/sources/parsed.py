"""What a source hands to ingest: the parsed rows of one unit, titles, and pairs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.errors import DataError, RawFormatError
from bigrec.sources.keys import Keys

if TYPE_CHECKING:
    import pyarrow as pa

Array = np.ndarray[Any, Any]

MAX_BAD_LINES: Final = 1_000_000
"""Bad lines that are kept at a time, of one small file or one unit of ratings."""
_LONE_CR_HINT: Final = (
    "lines end with LF or CR LF; where a CR alone should end one, turn it into LF: "
    "tr '\\r' '\\n' < OLD > NEW"
)


@dataclass(frozen=True)
class BadLine:
    """A line that breaks the grammar of its file."""

    path: Path
    """The file as it is shown to people."""
    line: int
    """Line number; from 1 in the file, or from 0 in the piece that is being parsed."""
    found: str
    """The line's text."""
    expected: str
    """What should be there."""
    counts: int | None = None
    """Of a line that repeats another: the number of that one, which counts instead."""
    word: str = "line"
    """What it is called: line, or row where the data are no text."""

    @classmethod
    def repeated(
        cls,
        path: Path,
        line: int,
        found: str,
        pair: tuple[int | str, int | str],
        counts: int,
        *,
        word: str = "line",
    ) -> BadLine:
        """A line on which a user rates an item again, for a (item, user) pair."""
        expected = f"one rating of item {pair[0]} by user {pair[1]}"
        return cls(path, line, found, expected, counts, word)

    def numbered(self, first_line: int = 0) -> BadLine:
        """The same as it is shown to people, with its number in the file.

        Args:
            first_line: number of the line that was number 0 so far.
        """
        line, expected = first_line + self.line, self.expected
        if self.counts is not None:
            expected += f"; {self.word} {first_line + self.counts} has one already"
        return replace(self, line=line, expected=expected, counts=None)

    def error(self) -> RawFormatError:
        """The error that stops an ingest here."""
        bad = self.numbered()
        hint = _LONE_CR_HINT if "\r" in bad.found else ""
        return RawFormatError(
            bad.path, bad.line, bad.found, bad.expected, word=self.word, hint=hint
        )


def note_bad_line(bad: BadLine, bad_lines: list[BadLine] | None) -> None:
    """Add a bad line to a list of them.

    Raises:
        RawFormatError: there is no list.
        DataError: there are too many.
    """
    if bad_lines is None:
        raise bad.error()
    bad_lines.append(bad)
    require_few_bad_lines(bad.path, len(bad_lines))


def require_few_bad_lines(path: Path, n_lines: int) -> None:
    """Stop where hardly a line is good, and the bad ones would fill the memory.

    Raises:
        DataError: there are too many.
    """
    if n_lines > MAX_BAD_LINES:
        raise DataError(
            f"{path} has more than {MAX_BAD_LINES:,} bad lines",
            hint="this is another kind of file, or a damaged one; fetch it again",
        )


@dataclass(frozen=True)
class ParsedRows:
    """The ratings of one unit. The arrays may be a worker's scratch memory: use them at once."""

    item_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    payload: Array
    """(n,) int32, the bits of day << CODE_BITS | code; see bigrec.interactions."""
    first_item: int = 0
    """Lowest item id of an item-sorted unit; 0 without one."""
    last_item: int = 0
    """Highest item id of an item-sorted unit; 0 without one."""
    n_lines: tuple[int, ...] = ()
    """Lines of each piece of the unit."""
    bad_lines: list[tuple[int, BadLine]] = field(default_factory=list)
    """Lines that were left out, each with the number of its piece."""
    second: Array | None = None
    """(n,) int32 seconds of the day in UTC; None where times are days."""


@dataclass(frozen=True)
class KeyedRows:
    """The ratings of one unit before their ids are numbers and their ratings codes.

    The arrays may be a worker's scratch memory: use them at once.
    """

    item: Keys | Array
    """(n,) keys, or int32 ids that are kept."""
    user: Keys | Array
    """(n,) keys, or int32 ids that are kept."""
    rating: Array | None
    """(n,) float32, finite; None where there are none."""
    day: Array | None
    """(n,) int32 days since bigrec.schema.FIRST_DATE; None where there are no times."""
    second: Array | None
    """(n,) int32 seconds of the day in UTC; None where times are days."""
    n_lines: tuple[int, ...] = ()
    """Lines of each piece of the unit."""
    bad_lines: list[tuple[int, BadLine]] = field(default_factory=list)
    """Lines that were left out, each with the number of its piece."""

    def take(self, rows: Array) -> KeyedRows:
        """Some of the rows.

        Args:
            rows: (m,) their positions, or (n,) bool.
        """

        def some(column: Array | None) -> Array | None:
            return None if column is None else column[rows]

        item, user = (
            ids.take(rows) if isinstance(ids, Keys) else ids[rows] for ids in (self.item, self.user)
        )
        return replace(
            self, item=item, user=user, rating=some(self.rating), day=some(self.day),
            second=some(self.second),
        )  # fmt: skip


@dataclass(frozen=True)
class Titles:
    """The items as a source names them, ascending by id."""

    item_id: Array
    """(n,) int32."""
    title: list[str | None]
    """(n,) as in the source; None where there is none."""
    year: list[int | None]
    """(n,) release year; None where the source has none."""
    attributes: pa.Table | None = None
    """(n,) rows of what else is known of them, by column."""

    def part(self, begin: int, end: int) -> Titles:
        """Some of them.

        Args:
            begin: the position of the first.
            end: the position behind the last.
        """
        attributes = self.attributes
        if attributes is not None:
            attributes = attributes.slice(begin, end - begin)
        return Titles(
            self.item_id[begin:end], self.title[begin:end], self.year[begin:end], attributes
        )

    @classmethod
    def from_mapping(cls, titles: dict[int, tuple[str, int | None]]) -> Titles:
        """Make titles of a mapping.

        Args:
            titles: (title, year) by item_id; the year is None where it is not known.
        """
        ids = sorted(titles)
        return cls(
            np.array(ids, np.int32), [titles[i][0] for i in ids], [titles[i][1] for i in ids]
        )


@dataclass(frozen=True)
class ItemTable:
    """What is known of items, in the order of its file."""

    key: pa.Array
    """(n,) large strings, each once."""
    title: list[str | None]
    """(n,) None where there is none."""
    year: list[int | None]
    """(n,) None where there is none."""
    attributes: pa.Table
    """(n,) rows of all other columns."""
    file: Path
    """Where it stands, as it is shown to people."""


@dataclass(frozen=True)
class Pairs:
    """Pairs without ratings, in the order of their file."""

    item_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    day: Array | None
    """(n,) int32 days since 1970-01-01, or None where the file has none."""
