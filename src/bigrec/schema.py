"""The columns of a store: their names, types, ranges and sort keys, in one place.

Types are the names that both DuckDB and Spark SQL know. A rating is held as half stars (an integer
from 1 to 10) while it travels inside bigrec, and as stars (FLOAT) in files.
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

MIN_STARS: Final = 0.5
MAX_STARS: Final = 5.0

USER_SHIFT: Final = 32
ITEM_SHIFT: Final = 8
"""A rating of a split travels as one 64-bit integer, a pair:
user_index << USER_SHIFT | item_index << ITEM_SHIFT | half stars."""

RATING_MASK: Final = (1 << ITEM_SHIFT) - 1
"""The bits of a pair's half stars."""

MAX_ITEMS: Final = 1 << (USER_SHIFT - ITEM_SHIFT)
"""Items of one split, at most: their indices fit a pair."""
