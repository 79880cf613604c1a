"""What somebody says of a table of ratings, and what bigrec takes it for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bigrec.sources.raw import RawFile

USER, ITEM, RATING, TIME = "user", "item", "rating", "time"
ROLES: Final = (USER, ITEM, RATING, TIME)
"""What a column may be; user and item always are there."""

TEXT, JSON_LINES, PARQUET, ARROW = "text", "json lines", "parquet", "arrow"
FORMS: Final = (TEXT, JSON_LINES, PARQUET, ARROW)
"""The forms of a file."""

SECONDS, MILLISECONDS, MICROSECONDS = "seconds", "milliseconds", "microseconds"
DAYS, ISO = "days", "iso"
TIME_UNITS: Final = (SECONDS, MILLISECONDS, MICROSECONDS, DAYS, ISO)
"""How a time is written: numbers since 1970-01-01 UTC, or ISO 8601 (a date, or a date and time with
or without a zone; without one it is UTC)."""

BLANKS: Final = " "
"""The separator that stands for a run of blanks and tabs."""
ENCODINGS: Final = ("utf-8", "latin-1", "cp1252")


@dataclass(frozen=True)
class TableOptions:
    """What somebody says of the files; what is not said is recognised."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each role, by its name or its position from 1. A role that is `none` is not
    there, whatever the file looks like."""
    separator: str | None = None
    """Between the fields of text: one or two characters; a blank is a run of blanks or tabs."""
    header: bool | None = None
    """Whether the first line of text names the columns."""
    encoding: str | None = None
    """One of ENCODINGS."""
    time_unit: str | None = None
    """One of TIME_UNITS."""
    no_rating: tuple[float, ...] = ()
    """Ratings that say that there is none, such as 0 in Book-Crossing."""
    no_rating_rows: str = "drop"
    """What becomes of rows without a rating: drop leaves them out, implicit keeps every row and
    forgets the ratings."""
    implicit: bool = False
    """Whether the rating column, if there is one, counts plays, clicks or purchases."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Texts by column (its name or its position from 1); only rows that hold them are taken."""
    wide: bool = False
    """Whether a line is a user, as in Jester: how many ratings there are, then one for each item.
    Users and items are called by their positions from 1."""


@dataclass(frozen=True)
class Dialect:
    """How delimited text is written."""

    separator: str
    """One or two characters; BLANKS for runs of blanks and tabs."""
    quoted: bool
    """Whether fields may stand in double quotes, as RFC 4180 has it."""
    has_header: bool
    """Whether the first line names the columns."""
    encoding: str
    """One of ENCODINGS."""
    ends_with_separator: bool = False
    """Whether one more separator stands behind the last field of a line."""


@dataclass(frozen=True)
class TablePlan:
    """What a table is taken for: enough to read every row of it."""

    form: str
    """One of FORMS."""
    files: tuple[RawFile, ...]
    """The files that hold the rows, in order."""
    names: tuple[str, ...]
    """The columns of the file in their order; 1, 2, … where it has no names."""
    columns: Mapping[str, int]
    """The position of each role in `names`, from 0; a role that is not there is missing."""
    time_unit: str | None
    """One of TIME_UNITS; None where there are no times, or where their type says what they are."""
    dialect: Dialect | None = None
    """Of text."""
    examples: tuple[tuple[str, ...], ...] = ()
    """Up to three rows as they stand in the file, each with a field for every name."""
    no_rating: tuple[float, ...] = ()
    """See TableOptions."""
    no_rating_rows: str = "drop"
    """See TableOptions."""
    implicit: bool = False
    """Whether there are no ratings, or they are counts of plays, clicks or purchases."""
    only: Mapping[int, str] = field(default_factory=dict)
    """Texts by position of a column, from 0; only rows that hold them are taken."""
    wide: bool = False
    """See TableOptions; then `columns` is empty."""
    has_line_ends: bool = False
    """Of text: whether fields in quotes hold line ends, as far as its beginning shows."""
