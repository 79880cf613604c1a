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

SCHEMA_VERSION: Final = 2

RATING_COLUMNS: Final = {ITEM_ID: "INTEGER", USER_ID: "INTEGER", RATING: "FLOAT", DATE: "DATE"}

ITEM_ORDER: Final = (ITEM_ID, USER_ID)
"""Sort key of ratings/."""
USER_ORDER: Final = (USER_ID, ITEM_ID)
"""Sort key of ratings_by_user/."""

MAX_ID: Final = 2**31 - 2
"""Ids run from 1 to this: they fit INT32 and are residues modulo the Mersenne prime 2^31 - 1."""

FIRST_DATE: Final = dt.date(1970, 1, 1)
LAST_DATE: Final = dt.date(2099, 12, 31)
"""A day is stored as a count since FIRST_DATE, so the range fits 16 bits."""
