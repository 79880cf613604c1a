"""The columns of a store: their names, types, ranges and sort keys, in one place.

Types are the names that both DuckDB and Spark SQL know.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

ITEM_ID: Final = "item_id"
USER_ID: Final = "user_id"
RATING: Final = "rating"
DATE: Final = "date"
TIME: Final = "time"
"""In UTC, where people see it; the files hold its date and second."""
SECOND: Final = "second"
"""Of the day in UTC, from 0 to 86,399."""
KEY: Final = "key"
"""The id of a user or an item as the source has it."""

SCHEMA_VERSION: Final = 3

BY_SECOND, BY_DAY, NO_TIME = "second", "day", "none"
TIME_UNITS: Final = (BY_SECOND, BY_DAY, NO_TIME)
"""What a store keeps of times."""

RATING_COLUMNS: Final = {ITEM_ID: "INTEGER", USER_ID: "INTEGER", RATING: "FLOAT", DATE: "DATE"}
"""Of a store that keeps days; see `rating_columns` for others."""


def rating_columns(time_unit: str) -> dict[str, str]:
    """The columns of ratings by name, with their types in SQL.

    Args:
        time_unit: one of TIME_UNITS.
    """
    columns = dict(RATING_COLUMNS)
    if time_unit == NO_TIME:
        del columns[DATE]
    if time_unit == BY_SECOND:
        columns[SECOND] = "INTEGER"
    return columns


ITEM_ORDER: Final = (ITEM_ID, USER_ID)
"""Sort key of ratings/."""
USER_ORDER: Final = (USER_ID, ITEM_ID)
"""Sort key of ratings_by_user/."""

MAX_ID: Final = 2**31 - 2
"""Ids run from 1 to this: they fit INT32 and are residues modulo the Mersenne prime 2^31 - 1."""

FIRST_DATE: Final = dt.date(1921, 1, 1)
LAST_DATE: Final = dt.date(2099, 12, 31)
"""While a store is made a day is a count since FIRST_DATE, so the range fits 16 bits."""

EPOCH_DAY: Final = (dt.date(1970, 1, 1) - FIRST_DATE).days
"""1970-01-01 as such a count: files and everything behind them count from there."""
