"""Reading the wide form of ratings, as Jester has it: one row a user, one column an item.

A row is text with commas: how many items the user rated, then a value for every item, of which one
says that there is no rating. Users and items have no names but their numbers, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bigrec.errors import DataError
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.sources.parsed import BadLine, note_bad_line
from bigrec.sources.raw import RawFile, empty_file_error
from bigrec.sources.streams import read_lines
from bigrec.sources.table.plan import TablePlan

Array = np.ndarray[Any, Any]

_BATCH_RATINGS: Final = 1 << 17
_SHEET_SUFFIXES: Final = (".xls", ".xlsx")
_NUMBERS: Final = re.compile(r"[-+.0-9eE]+(?:,[-+.0-9eE]+)*")


def read_wide(plan: TablePlan, bad_lines: list[BadLine] | None = None) -> Iterator[pa.RecordBatch]:
    """The ratings in the order of rows, and of columns in each.

    Args:
        plan: of files of text; a value of `no_rating` is none.
        bad_lines: takes rows that do not fit, and leaves them out, with their users' numbers; None
            to stop at the first.

    Yields:
        user_id, the number of the row over all files; item_id, the number of the column behind the
        count; both int64; rating, float64.

    Raises:
        DataError: a file cannot be read, or is a spreadsheet.
        RawFormatError: a row does not fit, and there is no list for it.
    """
    n_items, user = 0, 0
    gathered: list[tuple[int, Array, Array]] = []
    n_gathered = 0
    for file in plan.files:
        _require_text(file)
        for number, line in read_lines(file):
            if not line:
                continue
            user += 1
            values = _values(line)
            n_items = n_items or max(0, len(values) - 1)
            expected = _fault(values, n_items, plan.no_rating)
            if expected:
                note_bad_line(BadLine(file.label, number, line, expected), bad_lines)
                continue
            items, ratings = _rated(values, plan.no_rating)
            gathered.append((user, items, ratings))
            n_gathered += len(items)
            if n_gathered >= _BATCH_RATINGS:
                yield _batch(gathered)
                gathered, n_gathered = [], 0
    if not user:
        raise empty_file_error(plan.files[0])
    if gathered:
        yield _batch(gathered)


def _values(line: str) -> Array:
    """(n,) float64: the fields of a line; none if one is no number."""
    if _NUMBERS.fullmatch(line):
        try:
            return np.array(line.split(","), np.float64)
        except ValueError:
            pass
    return np.empty(0)


def _rated(values: Array, no_rating: tuple[float, ...]) -> tuple[Array, Array]:
    """The numbers of the items with a rating, and the ratings."""
    items = np.flatnonzero(~np.isin(values[1:], no_rating)) + 1
    return items, values[items]


def _fault(values: Array, n_items: int, no_rating: tuple[float, ...]) -> str:
    """What a row should be; empty if it is that."""
    if not n_items or len(values) != n_items + 1 or not np.isfinite(values).all():
        columns = f"{n_items} numbers" if n_items else "numbers"
        return f"how many items the user rated, and then {columns}, with commas between them"
    n_rated = len(_rated(values, no_rating)[0])
    if values[0] != n_rated:
        return f"{n_rated} in the first column, as many as there are ratings behind it"
    return ""


def _batch(gathered: list[tuple[int, Array, Array]]) -> pa.RecordBatch:
    users = np.repeat(
        np.array([user for user, _, _ in gathered], np.int64),
        [len(items) for _, items, _ in gathered],
    )
    items = np.concatenate([items for _, items, _ in gathered]).astype(np.int64)
    ratings = np.concatenate([ratings for _, _, ratings in gathered])
    return pa.record_batch([users, items, ratings], [USER_ID, ITEM_ID, "rating"])


def _require_text(file: RawFile) -> None:
    """Stop at a spreadsheet.

    Raises:
        DataError: it is one.
    """
    if file.label.suffix.lower() in _SHEET_SUFFIXES:
        raise DataError(
            f"{file.label} is a spreadsheet, expected text with commas",
            hint="export it as csv, without a header: one row a user, first the count of ratings",
        )
