"""One row of delimited text, looked at closely: what it holds, or what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bigrec.schema import EPOCH_DAY, FIRST_DATE, LAST_DATE
from bigrec.sources.keys import MAX_KEY_BYTES
from bigrec.sources.table.dialect import split_line
from bigrec.sources.table.plan import ITEM, RATING, TIME, USER, TablePlan
from bigrec.sources.table.times import parse_time

_LAST_DAY: Final = (LAST_DATE - FIRST_DATE).days
_FORBIDDEN: Final = frozenset("\r\n")
_MAX_RECORD_LINES: Final = 256
_UNIT_WORDS: Final = {
    "seconds": "in seconds since 1970",
    "milliseconds": "in milliseconds since 1970",
    "microseconds": "in microseconds since 1970",
    "days": "in days since 1970",
    "iso": "written as 2005-09-06 or 2005-09-06 22:09:11",
}


@dataclass(frozen=True)
class TextRow:
    """What one row holds."""

    user: bytes
    """The key, UTF-8."""
    item: bytes
    """The key, UTF-8."""
    rating: float
    """0 where there are none."""
    day: int
    """Since FIRST_DATE; 0 where there are no times."""
    second: int
    """Of the day."""


def read_row(
    line: str, plan: TablePlan, ends: tuple[float, float] | None = None
) -> TextRow | str | None:
    """Read a row.

    Args:
        line: the row without its line end.
        plan: how the table is written.
        ends: the lowest and the highest rating that there may be.

    Returns:
        The row; or what was expected where something is wrong; or None where the row is blank or
        one that is left out by the plan.
    """
    dialect = plan.dialect
    assert dialect is not None  # noqa: S101 - text has one
    if not line.strip():
        return None
    if "\0" in line:
        return "text without NUL bytes"
    if "\ufffd" in line:
        return f"text in {dialect.encoding.upper()}; say another with --encoding"
    fields = split_line(line, dialect)
    if fields is None:
        return "quotes that are closed before the end of the line or the next separator"
    if dialect.ends_with_separator and fields[-1] == "" and len(fields) == len(plan.names) + 1:
        fields.pop()
    if len(fields) != len(plan.names):
        return f"{len(plan.names)} fields as in other lines, there are {len(fields)}"
    if any(fields[position] != text for position, text in plan.only.items()):
        return None
    user, item = fields[plan.columns[USER]], fields[plan.columns[ITEM]]
    for role, key in ((USER, user), (ITEM, item)):
        if expected := _key_fault(key):
            return f"{expected} as {role}, in the column {plan.names[plan.columns[role]]}"
    rating = 0.0
    if RATING in plan.columns:
        name = plan.names[plan.columns[RATING]]
        text = fields[plan.columns[RATING]].strip(" ")
        try:
            rating = float(text) if "_" not in text else math.nan
        except ValueError:
            return f"a number as rating, in the column {name}" + _comma_hint(text)
        if not math.isfinite(rating):
            return f"a finite number as rating, in the column {name}"
        if rating in plan.no_rating:
            if plan.no_rating_rows != "implicit":
                return None
        elif ends and not ends[0] <= rating <= ends[1]:
            return f"a rating from {ends[0]:g} to {ends[1]:g}, in the column {name}"
    day = second = 0
    if TIME in plan.columns:
        unit = plan.time_unit or "iso"
        time = parse_time(fields[plan.columns[TIME]].strip(" "), unit)
        name = plan.names[plan.columns[TIME]]
        if time is None:
            return f"a time {_UNIT_WORDS[unit]}, in the column {name}"
        day, second = time[0] + EPOCH_DAY, time[1]
        if not 0 <= day <= _LAST_DAY:
            return f"a time from {FIRST_DATE} to {LAST_DATE}, in the column {name}"
    return TextRow(user.encode(), item.encode(), rating, day, second)


def record_end(text: str, plan: TablePlan, line_end: Callable[[int], int]) -> int:
    """Where the record at the beginning of a text ends: behind the line where its quotes close.

    Args:
        text: from the beginning of the record on.
        plan: how the table is written.
        line_end: the position behind the line feed at or behind a position, or -1.
    """
    dialect = plan.dialect
    first = end = line_end(0)
    if dialect is None or not dialect.quoted:
        return first
    for _ in range(_MAX_RECORD_LINES):
        record = text[: end - 1].removesuffix("\r")
        if record.count('"') % 2 == 0 or split_line(record, dialect) is not None:
            return end
        following = line_end(end)
        if following < 0:
            break
        end = following
    return first


def _key_fault(key: str) -> str:
    if not key:
        return "an id, and not an empty field"
    if _FORBIDDEN & set(key):
        return "an id without line ends"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"an id of at most {MAX_KEY_BYTES:,} bytes"
    return ""


def _comma_hint(text: str) -> str:
    return " with a point and no comma" if "," in text else ""
