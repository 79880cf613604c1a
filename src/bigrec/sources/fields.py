"""What the grammars of text share: codes of errors, and compiled readers of single fields.

A parsed row is one 64-bit key: user_id in the upper 32 bits, the payload in the lower (see
bigrec.interactions): the day and the code of the rating in the source's scale. A parser stops at
the first byte that breaks its grammar and returns an error code and that byte's offset; EXPECTED
turns the code into words.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled, inlined_part
from bigrec.schema import EPOCH_DAY, MAX_ID

OK: Final = 0
BAD_LINE: Final = 1
BAD_ID: Final = 2
BAD_RATING: Final = 3
BAD_DATE: Final = 4
BAD_ORDER: Final = 5
NO_HEADER: Final = 6
BLANK_LINE: Final = 7
BAD_TIMESTAMP: Final = 8
BAD_LINE_END: Final = 9
BAD_SEPARATOR: Final = 10
BAD_WHOLE_STARS: Final = 11
BAD_USER: Final = 12
BAD_ITEM: Final = 13
NO_RATING: Final = 14
NO_DATE: Final = 15
NO_TIMESTAMP: Final = 16
MORE_FIELDS: Final = 17

EXPECTED: Final = {
    BAD_LINE: "an item header such as '8:' or a line such as '1488844,3,2005-09-06'",
    BAD_ID: f"an id from 1 to {MAX_ID} without leading zeros",
    BAD_USER: f"an id of a user from 1 to {MAX_ID}, in digits without leading zeros",
    BAD_ITEM: f"an id of an item from 1 to {MAX_ID}, in digits without leading zeros",
    BAD_RATING: "a rating from 0.5 to 5 in half stars, written as 4, 4.0 or 3.5",
    BAD_WHOLE_STARS: "a rating in whole stars from 1 to 5",
    BAD_DATE: "a day of the calendar from 1970-01-01 to 2099-12-31, written as 2005-09-06",
    BAD_ORDER: "item ids in ascending order over all files, each opened once",
    NO_HEADER: "a valid item header such as '8:' above the rating",
    BLANK_LINE: "no blank line before the end of the file",
    BAD_TIMESTAMP: "a timestamp in whole seconds from 0 to 4102444799 (the end of 2099)",
    BAD_LINE_END: "the end of the line",
    BAD_SEPARATOR: "user, item, rating and timestamp, each set apart by the file's separator",
    NO_RATING: "a rating behind the ids; the line ends before it",
    NO_DATE: "a day such as 2005-09-06 behind the rating; the line ends before it",
    NO_TIMESTAMP: "a timestamp in seconds behind the rating; the line ends before it",
    MORE_FIELDS: "four fields, user, item, rating and timestamp; there are more",
}

NEWLINE, RETURN, COMMA, COLON, DOT, DASH, ZERO, FIVE = 10, 13, 44, 58, 46, 45, 48, 53
LAST_SECOND: Final = 4_102_444_799
SECONDS_A_DAY: Final = 86_400


def _month_tables() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    months = np.arange("1970-01", "2100-02", dtype="datetime64[M]")
    first_days = months.astype("datetime64[D]").astype(np.int64)
    return (first_days[:-1] + EPOCH_DAY).astype(np.int32), np.diff(first_days).astype(np.int32)


# Each (1560,), for months since 1970-01: its first day as payloads count them, and its days.
MONTH_START, MONTH_LENGTH = _month_tables()


@inlined_part
def load_word(text, position):  # type: ignore[no-untyped-def]
    """The eight bytes from `position` on, the first one lowest; compiles to one load."""
    at = np.uint64(position)  # unsigned, for numba need not provide for negative places
    word = np.uint64(text[at])
    word |= np.uint64(text[at + np.uint64(1)]) << np.uint64(8)
    word |= np.uint64(text[at + np.uint64(2)]) << np.uint64(16)
    word |= np.uint64(text[at + np.uint64(3)]) << np.uint64(24)
    word |= np.uint64(text[at + np.uint64(4)]) << np.uint64(32)
    word |= np.uint64(text[at + np.uint64(5)]) << np.uint64(40)
    word |= np.uint64(text[at + np.uint64(6)]) << np.uint64(48)
    word |= np.uint64(text[at + np.uint64(7)]) << np.uint64(56)
    return word


@compiled
def read_id(text, position):  # type: ignore[no-untyped-def]
    """Read digits; return (value or -1, position of the first non-digit)."""
    first = position
    value = np.int64(text[position]) - ZERO
    if value <= 0 or value > 9:
        return np.int64(-1), first
    position += 1
    digit = np.int64(text[position]) - ZERO
    while 0 <= digit <= 9:
        value = value * 10 + digit
        position += 1
        digit = np.int64(text[position]) - ZERO
        if value > MAX_ID:
            return np.int64(-1), first
    return value, position


@compiled
def read_day(text, position):  # type: ignore[no-untyped-def]
    """Read YYYY-MM-DD; return the days since FIRST_DATE or -1. It may look at 10 bytes."""
    zero = np.uint8(ZERO)
    y1, y2 = np.uint8(text[position] - zero), np.uint8(text[position + 1] - zero)
    y3, y4 = np.uint8(text[position + 2] - zero), np.uint8(text[position + 3] - zero)
    m1, m2 = np.uint8(text[position + 5] - zero), np.uint8(text[position + 6] - zero)
    d1, d2 = np.uint8(text[position + 8] - zero), np.uint8(text[position + 9] - zero)
    wrong = (text[position + 4] != DASH) | (text[position + 7] != DASH)
    wrong |= (y1 > 9) | (y2 > 9) | (y3 > 9) | (y4 > 9)
    wrong |= (m1 > 9) | (m2 > 9) | (d1 > 9) | (d2 > 9)
    year = np.int64(y1) * 1000 + np.int64(y2) * 100 + np.int64(y3) * 10 + np.int64(y4)
    month = np.int64(m1) * 10 + np.int64(m2)
    day = np.int64(d1) * 10 + np.int64(d2)
    if wrong or year < 1970 or year > 2099 or month < 1 or month > 12:
        return np.int64(-1)
    index = (year - 1970) * 12 + month - 1
    if day < 1 or day > MONTH_LENGTH[index]:
        return np.int64(-1)
    return np.int64(MONTH_START[index]) + day - 1


@compiled
def line_end(text, position):  # type: ignore[no-untyped-def]
    """Return the position behind LF or CR LF, or -1."""
    if text[position] == NEWLINE:
        return position + 1
    if text[position] == RETURN and text[position + 1] == NEWLINE:
        return position + 2
    return -1
