"""What becomes of rows in which a user meets an item again.

A sorted bucket holds such rows side by side, in the order of the files. They become one: its rating
is that of one of them, or their mean, sum or number; its time is that of the row that was taken, or
the latest.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS, CODE_MASK

Array = np.ndarray[Any, Any]

ERROR, FIRST, LAST, MEAN, MAX, SUM, COUNT = "error", "first", "last", "mean", "max", "sum", "count"
REPEATS: Final = (ERROR, LAST, FIRST, MEAN, MAX, SUM, COUNT)
"""An error, the latest or the earliest row (the last or first one of the files where there are no
times), the mean, the highest or the sum of the ratings, or the number of rows."""
ADDING: Final = (MEAN, SUM, COUNT)
"""Those that make ratings which no row has."""


def merge_repeats(records: Array, repeats: str, values: Array) -> tuple[Array, Array]:
    """Make one row of those that repeat a pair.

    Args:
        records: (n, 3 or 4) int32, sorted by pair; overwritten.
        repeats: one of REPEATS, not ERROR.
        values: (n_codes,) float64, the rating of each code.

    Returns:
        The rows, of the same memory, and the rating of each, (m,) float32.
    """
    ratings = np.empty(len(records), np.float32)
    n = _merge(records, REPEATS.index(repeats), values, ratings)
    return records[:n], ratings[:n]


_LAST, _FIRST, _MEAN, _MAX, _SUM, _COUNT = (REPEATS.index(name) for name in REPEATS[1:])


@compiled
def _time(records, row):  # type: ignore[no-untyped-def]
    """What orders rows in time."""
    day = np.int64(np.uint32(records[row, 2]) >> np.uint32(CODE_BITS))
    return day << 20 | (records[row, 3] if records.shape[1] == 4 else 0)


@compiled
def _merge(records, repeats, values, ratings):  # type: ignore[no-untyped-def]
    """Merge rows in place; return how many there are then."""
    n_rows = 0
    row = 0
    while row < len(records):
        taken = latest = row
        total = highest = values[records[row, 2] & CODE_MASK]
        end = row + 1
        while (
            end < len(records)
            and records[end, 0] == records[row, 0]
            and records[end, 1] == records[row, 1]
        ):
            value = values[records[end, 2] & CODE_MASK]
            total += value
            time = _time(records, end)
            if time >= _time(records, latest):
                latest = end
            if repeats == _FIRST and time < _time(records, taken):
                taken = end
            if repeats == _MAX and value > highest:
                taken, highest = end, value
            end += 1
        if repeats != _FIRST and repeats != _MAX:
            taken = latest
        rating = values[records[taken, 2] & CODE_MASK]
        if repeats == _MEAN:
            rating = total / (end - row)
        elif repeats == _SUM:
            rating = total
        elif repeats == _COUNT:
            rating = np.float64(end - row)
        ratings[n_rows] = rating
        for word in range(records.shape[1]):
            records[n_rows, word] = records[taken, word]
        n_rows += 1
        row = end
    return n_rows


@compiled
def set_codes(records, ratings, table):  # type: ignore[no-untyped-def]
    """Give rows the codes of their ratings.

    Args:
        records: (n, 3 or 4) int32, changed.
        ratings: (n,) float32, each of them in the table.
        table: (n_values,) float32, ascending.
    """
    for row in range(len(records)):
        low, high = 0, len(table) - 1
        while low < high:
            middle = (low + high) // 2
            if table[middle] < ratings[row]:
                low = middle + 1
            else:
                high = middle
        records[row, 2] = (records[row, 2] & ~CODE_MASK) | low


@compiled
def recode(records, code_map):  # type: ignore[no-untyped-def]
    """Turn codes into others: records (n, 3 or 4) int32, changed; code_map (n_codes,) int32."""
    for row in range(len(records)):
        payload = records[row, 2]
        records[row, 2] = (payload & ~CODE_MASK) | code_map[payload & CODE_MASK]
