"""The compiled parsers of ingest: one strict loop a grammar.

A parsed row is one 64-bit key: user_id in the upper 32 bits, the payload in the lower (see
bigrec.interactions): the day and the code of the rating in the source's scale. A parser stops at
the first byte that breaks its grammar and returns an error code and that byte's offset; EXPECTED
turns the code into words. The loops release the GIL and are cached on disk.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS
from bigrec.schema import MAX_ID

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

BAD_LINE_OF_PAIRS: Final = {
    False: "an item header such as '8:' or the id of a user such as '1488844'",
    True: "an item header such as '8:' or a line such as '1488844,2005-09-06'",
}
"""What BAD_LINE expects in a file without ratings, by whether it has days."""

_NEWLINE, _RETURN, _COMMA, _COLON, _DOT, _DASH, _ZERO, _FIVE = 10, 13, 44, 58, 46, 45, 48, 53
_LAST_SECOND = 4_102_444_799
_SECONDS_A_DAY = 86_400


def _month_tables() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    months = np.arange("1970-01", "2100-02", dtype="datetime64[M]")
    first_days = months.astype("datetime64[D]").astype(np.int64)
    return first_days[:-1].astype(np.int32), np.diff(first_days).astype(np.int32)


_MONTH_START, _MONTH_LENGTH = _month_tables()  # each (1560,): months since 1970-01


@compiled
def _read_id(text, position):  # type: ignore[no-untyped-def]
    """Read digits; return (value or -1, position of the first non-digit)."""
    first = position
    value = np.int64(text[position]) - _ZERO
    if value <= 0 or value > 9:
        return np.int64(-1), first
    position += 1
    digit = np.int64(text[position]) - _ZERO
    while 0 <= digit <= 9:
        value = value * 10 + digit
        position += 1
        digit = np.int64(text[position]) - _ZERO
        if value > MAX_ID:
            return np.int64(-1), first
    return value, position


@compiled
def _read_day(text, position):  # type: ignore[no-untyped-def]
    """Read YYYY-MM-DD; return the days since 1970-01-01 or -1. It may look at 10 bytes."""
    zero = np.uint8(_ZERO)
    y1, y2 = np.uint8(text[position] - zero), np.uint8(text[position + 1] - zero)
    y3, y4 = np.uint8(text[position + 2] - zero), np.uint8(text[position + 3] - zero)
    m1, m2 = np.uint8(text[position + 5] - zero), np.uint8(text[position + 6] - zero)
    d1, d2 = np.uint8(text[position + 8] - zero), np.uint8(text[position + 9] - zero)
    wrong = (text[position + 4] != _DASH) | (text[position + 7] != _DASH)
    wrong |= (y1 > 9) | (y2 > 9) | (y3 > 9) | (y4 > 9)
    wrong |= (m1 > 9) | (m2 > 9) | (d1 > 9) | (d2 > 9)
    year = np.int64(y1) * 1000 + np.int64(y2) * 100 + np.int64(y3) * 10 + np.int64(y4)
    month = np.int64(m1) * 10 + np.int64(m2)
    day = np.int64(d1) * 10 + np.int64(d2)
    if wrong or year < 1970 or year > 2099 or month < 1 or month > 12:
        return np.int64(-1)
    index = (year - 1970) * 12 + month - 1
    if day < 1 or day > _MONTH_LENGTH[index]:
        return np.int64(-1)
    return np.int64(_MONTH_START[index]) + day - 1


@compiled
def _line_end(text, position):  # type: ignore[no-untyped-def]
    """Return the position behind LF or CR LF, or -1."""
    if text[position] == _NEWLINE:
        return position + 1
    if text[position] == _RETURN and text[position + 1] == _NEWLINE:
        return position + 2
    return -1


def _word(text: bytes) -> Any:
    return np.uint64(int.from_bytes(text, "little"))


# Eight bytes are looked at as one word. Xor with the expected text leaves digits as 0 to 9 and
# separators as 0; what is larger has the highest bit of its byte set once the slack is added.
_EIGHT_ZEROS = _word(b"00000000")
_RATING_YEAR, _MONTH_DAY = _word(b",0,0000-"), _word(b"00-00\n\0\0")
_DIGIT_SLACK = _word(b"\x76" * 8)
_RATING_YEAR_SLACK = _word(b"\x7f\x76\x7f\x76\x76\x76\x76\x7f")
_MONTH_DAY_SLACK = _word(b"\x76\x76\x7f\x76\x76\x7f\0\0")
_HIGH_BITS = _word(b"\x80" * 8)
_SIX_BYTES = _word(b"\xff" * 6)
_PLACES = np.uint64(0x0001020304050607)


@compiled
def _load_word(text, position):  # type: ignore[no-untyped-def]
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
def _digit_at(word, byte):  # type: ignore[no-untyped-def]
    return np.int64((word >> np.uint64(8 * byte)) & np.uint64(15))


@compiled
def _read_usual_line(text, position):  # type: ignore[no-untyped-def]
    """Read a line `user_id,rating,date` of the usual form, without a branch a byte.

    It may look at 32 bytes.

    Returns:
        (key, position behind the line), or (0, position) if the line is in any way unusual: an id
        of more than 7 digits, CR LF, or something wrong.
    """
    word = _load_word(text, position) ^ _EIGHT_ZEROS
    stops = ((word + _DIGIT_SLACK) | word) & _HIGH_BITS
    first_stop = (stops & (~stops + np.uint64(1))) >> np.uint64(7)
    n_digits = np.int64((first_stop * _PLACES) >> np.uint64(56))
    if n_digits == 0 or (word & np.uint64(255)) == 0:
        return np.uint64(0), position
    # Pairs, then fours, then eight digits at a time; leading places are zero.
    user = word << np.uint64(64 - 8 * n_digits)
    user = (user * np.uint64(2561)) >> np.uint64(8)
    user = ((user & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    user = ((user & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    behind = position + n_digits
    one = _load_word(text, behind) ^ _RATING_YEAR
    two = (_load_word(text, behind + 8) ^ _MONTH_DAY) & _SIX_BYTES
    wrong = ((one + _RATING_YEAR_SLACK) | one) | ((two + _MONTH_DAY_SLACK) | two)
    rating = _digit_at(one, 1)
    year = (
        _digit_at(one, 3) * 1000
        + _digit_at(one, 4) * 100
        + _digit_at(one, 5) * 10
        + _digit_at(one, 6)
    )
    month = _digit_at(two, 0) * 10 + _digit_at(two, 1)
    day = _digit_at(two, 3) * 10 + _digit_at(two, 4)
    if (
        (wrong & _HIGH_BITS) != 0
        or np.uint64(rating - 1) > np.uint64(4)
        or np.uint64(year - 1970) > np.uint64(129)
        or np.uint64(month - 1) > np.uint64(11)
    ):
        return np.uint64(0), position
    index = (year - 1970) * 12 + month - 1
    if day < 1 or day > _MONTH_LENGTH[index]:
        return np.uint64(0), position
    date = np.uint64(_MONTH_START[index] + day - 1)
    key = (user << np.uint64(32)) | (date << np.uint64(CODE_BITS)) | np.uint64(rating - 1)
    return key, behind + 14


@compiled
def parse_netflix(  # type: ignore[no-untyped-def]
    text, position, end, in_block, has_rating, has_date,
    keys, offsets, items, starts, n_rows, n_items,
):  # fmt: skip
    """Parse item blocks: a line `item_id:`, then lines `user_id[,rating][,date]`.

    Args:
        text: uint8; text[end - 1] is a newline, and 32 more bytes may be looked at.
        position, end: the bytes to parse.
        in_block: whether the lines at `position` belong to the last item.
        has_rating: whether a line holds a rating from 1 to 5, of which the codes are 0 to 4; items
            must then ascend.
        has_date: whether a line holds a day.
        keys: uint64 out, one a row.
        offsets: int64 out, where the line of each row starts; may be empty.
        items: int32 out, one a header.
        starts: int64 out, the first row of each item, and behind the last the number of rows.
        n_rows, n_items: how much of the arrays is in use already.

    Returns:
        (error code, offset of the offence, whether it lies in an item's block, number of rows,
        number of items).
    """
    code = OK
    while position < end:
        line = position
        if has_rating and has_date and in_block:
            key, position = _read_usual_line(text, line)
            if key:
                keys[n_rows] = key
                if len(offsets):
                    offsets[n_rows] = line
                n_rows += 1
                continue
        value, position = _read_id(text, position)
        if value < 0:
            if _line_end(text, line) >= 0:
                code = BLANK_LINE
            else:
                code = BAD_ID if _ZERO <= text[line] <= 57 else BAD_LINE
            break
        if text[position] == _COLON:
            after = _line_end(text, position + 1)
            if after < 0:
                code = BAD_LINE
                break
            if has_rating and n_items > 0 and value <= items[n_items - 1]:
                position = line
                code = BAD_ORDER
                break
            items[n_items] = value
            starts[n_items] = n_rows
            n_items += 1
            in_block = True
            position = after
            continue
        payload = np.int64(0)
        if has_rating:
            if text[position] != _COMMA:
                code = BAD_LINE
                break
            rating = np.int64(text[position + 1]) - _ZERO
            if rating < 1 or rating > 5:
                position += 1
                code = BAD_WHOLE_STARS
                break
            payload = rating - 1
            position += 2
        if has_date:
            if text[position] != _COMMA:
                code = BAD_LINE
                if has_rating:
                    code = NO_DATE if _line_end(text, position) >= 0 else BAD_WHOLE_STARS
                break
            day = _read_day(text, position + 1)
            if day < 0:
                position += 1
                code = BAD_DATE
                break
            payload |= day << CODE_BITS
            position += 11
        after = _line_end(text, position)
        if after < 0:
            code = BAD_LINE_END
            break
        if not in_block:
            position = line
            code = NO_HEADER
            break
        keys[n_rows] = (np.uint64(value) << np.uint64(32)) | np.uint64(payload)
        if len(offsets):
            offsets[n_rows] = line
        n_rows += 1
        position = after
    starts[n_items] = n_rows
    return code, position, in_block, n_rows, n_items


@compiled
def _blame_id(byte, bad_id):  # type: ignore[no-untyped-def]
    """The code for a byte behind an id that is not the separator: is it one of another file?"""
    for separator in (9, 10, 13, 32, _COMMA, _COLON, 59, 124):
        if byte == separator:
            return BAD_SEPARATOR
    return bad_id


@compiled
def parse_delimited(  # type: ignore[no-untyped-def]
    text, position, end, separator, separator_width, whole_stars, keys, items, n_rows
):  # fmt: skip
    """Parse lines `user_id SEP item_id SEP rating SEP timestamp`, in any order.

    Args:
        text: uint8; text[end - 1] is a newline, and 16 more bytes may be looked at.
        position, end: the bytes to parse.
        separator: the byte between fields.
        separator_width: how often it stands there: 1, or 2 for `::`.
        whole_stars: whether a rating is a digit from 1 to 5, not half stars from 0.5 to 5. The
            lowest of them has code 0.
        keys: uint64 out, one a row.
        items: int32 out, one a row.
        n_rows: how much of the arrays is in use already.

    Returns:
        (error code, offset of the offence, number of rows).
    """
    bad_rating = BAD_WHOLE_STARS if whole_stars else BAD_RATING
    while position < end:
        line = position
        user, position = _read_id(text, position)
        if user < 0:
            return (BLANK_LINE if _line_end(text, line) >= 0 else BAD_USER), line, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                return _blame_id(text[position], BAD_USER), position, n_rows
            position += 1
        item, position = _read_id(text, position)
        if item < 0:
            return BAD_ITEM, position, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                if _line_end(text, position) >= 0:
                    return NO_RATING, position, n_rows
                return _blame_id(text[position], BAD_ITEM), position, n_rows
            position += 1
        rating_at = position
        half_stars = (np.int64(text[position]) - _ZERO) * 2
        if half_stars < 0 or half_stars > 10:
            return bad_rating, rating_at, n_rows
        position += 1
        if text[position] == _DOT and not whole_stars:
            if text[position + 1] == _FIVE:
                half_stars += 1
            elif text[position + 1] != _ZERO:
                return bad_rating, rating_at, n_rows
            position += 2
            while text[position] == _ZERO:  # 4.00 is 4.0
                position += 1
        if half_stars < 1 or half_stars > 10:
            return bad_rating, rating_at, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                missing = _line_end(text, position) >= 0
                return (NO_TIMESTAMP if missing else bad_rating), rating_at, n_rows
            position += 1
        seconds = np.int64(0)
        first_digit = position
        digit = np.int64(text[position]) - _ZERO
        while 0 <= digit <= 9 and position - first_digit < 11:
            seconds = seconds * 10 + digit
            position += 1
            digit = np.int64(text[position]) - _ZERO
        after = _line_end(text, position)
        if position == first_digit or seconds > _LAST_SECOND or after < 0:
            more = position > first_digit and text[position] == separator
            return (MORE_FIELDS if more else BAD_TIMESTAMP), first_digit, n_rows
        code = half_stars // 2 - 1 if whole_stars else half_stars - 1
        payload = (seconds // _SECONDS_A_DAY) << CODE_BITS | code
        keys[n_rows] = (np.uint64(user) << np.uint64(32)) | np.uint64(payload)
        items[n_rows] = item
        n_rows += 1
        position = after
    return OK, position, n_rows
