"""What a reader hands to ingest: the parsed rows of one unit, titles, and pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bigrec.errors import RawFormatError

Array = np.ndarray[Any, Any]


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

    def error(self) -> RawFormatError:
        """The error that stops an ingest here."""
        return RawFormatError(self.path, self.line, self.found, self.expected)


def repeated_text(movie: int, user: int) -> str:
    """What is expected where a user rates a movie again."""
    return f"one rating of movie {movie} by user {user}, this is another"


@dataclass(frozen=True)
class Rows:
    """The ratings of one unit. The arrays may be a worker's scratch memory: use them at once."""

    movie_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    payload: Array
    """(n,) int32, day << 8 | half stars."""
    first_movie: int = 0
    """Lowest movie id of a movie-sorted unit; 0 without one."""
    last_movie: int = 0
    """Highest movie id of a movie-sorted unit; 0 without one."""
    n_lines: tuple[int, ...] = ()
    """Lines of each piece of the unit."""
    bad_lines: list[tuple[int, BadLine]] = field(default_factory=list)
    """Lines that were left out, each with the number of its piece."""


@dataclass(frozen=True)
class GroupStats:
    """Statistics of rows by one of their ids."""

    ids: Array  # (n,) int32, ascending
    counts: Array  # (n,) int32, rows of each
    sums: Array  # (n,) int64, half stars of each added up
    first_days: Array  # (n,) int32, since 1970-01-01
    last_days: Array  # (n,) int32

    @classmethod
    def concatenate(cls, groups: list[GroupStats]) -> GroupStats:
        """Join statistics of ascending ranges of ids."""
        kinds = (np.int32, np.int32, np.int64, np.int32, np.int32)
        names = ("ids", "counts", "sums", "first_days", "last_days")
        return cls(
            *(
                np.concatenate([np.empty(0, kind), *(getattr(group, name) for group in groups)])
                for kind, name in zip(kinds, names, strict=True)
            )
        )


@dataclass(frozen=True)
class Titles:
    """The movies as a source names them, ascending by id."""

    movie_id: Array
    """(n,) int32."""
    title: list[str]
    """(n,) as in the source."""
    year: list[int | None]
    """(n,) release year; None where the source has none."""

    @classmethod
    def from_mapping(cls, titles: dict[int, tuple[str, int | None]]) -> Titles:
        """Make titles of a mapping from movie ids to (title, year)."""
        ids = sorted(titles)
        return cls(
            np.array(ids, np.int32), [titles[i][0] for i in ids], [titles[i][1] for i in ids]
        )


@dataclass(frozen=True)
class Pairs:
    """Pairs without ratings, in the order of their file."""

    movie_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    day: Array | None
    """(n,) int32 days since 1970-01-01, or None where the file has none."""
