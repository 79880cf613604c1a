"""The compiled loop that takes rows of delimited text apart.

It reads what is written as usual. A row in which anything else stands, a doubled quote, a time with
a zone, a fault, is left to the caller, who has all the time to look at one row.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.schema import EPOCH_DAY, FIRST_DATE, LAST_DATE
from bigrec.sources.fields import COLON, DOT, NEWLINE, OK, RETURN, ZERO, load_word, read_day
from bigrec.sources.keys import MAX_KEY_BYTES

UNUSUAL: Final = 1
"""A row that is to be looked at; the offset is where it begins."""
OPEN_QUOTE: Final = 2
"""A quote that is not closed before the end of the text."""

NO_ROLE, USER_ROLE, ITEM_ROLE, RATING_ROLE, TIME_ROLE, ONLY_ROLE = range(6)
"""What the columns of a row are; ONLY_ROLE is the one that decides whether the row is taken."""
NO_TIMES, NUMBERS, DATES = range(3)
"""How times are written."""

_QUOTE, _MINUS, _BLANK, _TAB, _LETTER_T, _LETTER_Z = 34, 45, 32, 9, 84, 90
_DAY = 86_400
_LAST_DAY: Final = (LAST_DATE - FIRST_DATE).days
_MOST_DIGITS = 15  # so many are exact in a float64
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_LOW_ONE = np.uint64(1)
_PLACES = np.uint64(0x0001020304050607)  # which byte of a word a bit is in, by a product
_TENS: Final = 10.0 ** np.arange(_MOST_DIGITS + 1)


@compiled
def _stops(word, separators, newlines):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that is a separator or a line feed; right up to the first.

    Xor with a byte leaves zero where it stands, and a zero is where subtracting one borrows from
    the highest bit.
    """
    one, two = word ^ separators, word ^ newlines
    return (((one - _ONES) & ~one) | ((two - _ONES) & ~two)) & _HIGH


@compiled
def _find_end(text, position, separator):  # type: ignore[no-untyped-def]
    """The first separator or line feed at or behind a position, and the bytes before it or-ed."""
    separators = _ONES * np.uint64(separator)
    newlines = _ONES * np.uint64(NEWLINE)
    seen = np.uint64(0)
    word = load_word(text, position)
    stops = _stops(word, separators, newlines)
    while stops == 0:
        seen = seen | word
        position += 8
        word = load_word(text, position)
        stops = _stops(word, separators, newlines)
    first = (stops & (~stops + _LOW_ONE)) >> np.uint64(7)
    seen = seen | (word & (first - _LOW_ONE))
    return position + np.int64((first * _PLACES) >> np.uint64(56)), seen


@compiled
def _read_number(text, start, stop):  # type: ignore[no-untyped-def]
    """A decimal number: (whether it is one in the usual form, its value)."""
    position = start
    negative = text[position] == _MINUS
    if negative:
        position += 1
    digits = np.int64(0)
    n_digits = 0
    point = -1
    while position < stop:
        byte = np.int64(text[position])
        if byte == DOT and point < 0:
            point = n_digits
        elif ZERO <= byte <= ZERO + 9:
            digits = digits * 10 + byte - ZERO
            n_digits += 1
        else:
            return False, 0.0
        position += 1
    if n_digits == 0 or n_digits > _MOST_DIGITS:
        return False, 0.0
    value = np.float64(digits)
    if point >= 0:
        value /= _TENS[n_digits - point]
    return True, -value if negative else value


@compiled
def _read_integer(text, start, stop):  # type: ignore[no-untyped-def]
    """A whole number of at most 18 digits: (whether it is one, its value)."""
    position = start
    negative = text[position] == _MINUS
    if negative:
        position += 1
    if position == stop or stop - position > 18:
        return False, np.int64(0)
    value = np.int64(0)
    while position < stop:
        digit = np.int64(text[position]) - ZERO
        if digit < 0 or digit > 9:
            return False, np.int64(0)
        value = value * 10 + digit
        position += 1
    return True, -value if negative else value


@compiled
def _two_digits(text, position):  # type: ignore[no-untyped-def]
    """A number of two digits, or 99 if it is none."""
    one, two = np.int64(text[position]) - ZERO, np.int64(text[position + 1]) - ZERO
    if one < 0 or one > 9 or two < 0 or two > 9:
        return np.int64(99)
    return one * 10 + two


@compiled
def _read_date(text, start, stop):  # type: ignore[no-untyped-def]
    """`YYYY-MM-DD`, alone or with `HH:MM:SS` and a Z: (whether it is one, day, second).

    The day counts from FIRST_DATE; dates before 1970 are left to the caller.
    """
    if stop - start != 10 and stop - start != 19 and stop - start != 20:
        return False, np.int64(0), np.int64(0)
    day = np.int64(read_day(text, start))
    if day < 0:
        return False, np.int64(0), np.int64(0)
    if stop - start == 10:
        return True, day, np.int64(0)
    between = text[start + 10]
    hour, minute = _two_digits(text, start + 11), _two_digits(text, start + 14)
    second = _two_digits(text, start + 17)
    if (
        (between != _BLANK and between != _LETTER_T)
        or text[start + 13] != COLON
        or text[start + 16] != COLON
        or hour > 23
        or minute > 59
        or second > 59
        or (stop - start == 20 and text[start + 19] != _LETTER_Z)
    ):
        return False, np.int64(0), np.int64(0)
    return True, day, hour * 3600 + minute * 60 + second


@compiled
def _is_text(text, start, stop, expected):  # type: ignore[no-untyped-def]
    if stop - start != len(expected):
        return False
    for byte in range(len(expected)):  # noqa: SIM110 - compiled
        if text[start + byte] != expected[byte]:
            return False
    return True


@compiled
def _closing_quote(text, position, end):  # type: ignore[no-untyped-def]
    """The quote that closes a field: (its position or -1, whether one is doubled before it)."""
    doubled = False
    while position < end:
        if text[position] == _QUOTE:
            if text[position + 1] != _QUOTE:
                return position, doubled
            doubled = True
            position += 1
        position += 1
    return -1, doubled


@compiled
def parse_table(  # type: ignore[no-untyped-def]
    text, position, end, separator, second_separator, quoted, blanks, ends_with_separator, roles,
    time_kind, ticks, days_of_tick, ends, no_rating, only, out, n_rows,
):  # fmt: skip
    """Parse rows until one is unusual.

    Args:
        text: uint8; text[end - 1] is a line feed, and PADDING more bytes may be looked at.
        position, end: the bytes to parse.
        separator, second_separator: the bytes between fields; the second is 0 where there is one.
        quoted: whether fields may stand in double quotes.
        blanks: whether fields are set apart by runs of blanks and tabs.
        ends_with_separator: whether a separator stands behind the last field.
        roles: (n_fields,) int8, what each column is.
        time_kind: how times are written.
        ticks: units of a time that is a number in a second.
        days_of_tick: seconds of a unit, where it is longer than one.
        ends: (2,) float64, the lowest and the highest rating that there may be.
        no_rating: (n,) float64, ratings that say that there is none: their rows are left out.
        only: uint8, the text that a row has in its column ONLY_ROLE if it is taken.
        out: starts and lengths of users and items (int32), ratings (float32), days and seconds of
            the day (int32), one a row.
        n_rows: how much of them is in use already.

    Returns:
        (error code, offset of the row, number of rows, whether a key has bytes beyond ASCII).
    """
    user_start, user_length, item_start, item_length, rating_out, day_out, second_out = out
    n_fields = len(roles)
    seen_in_keys = np.uint64(0)
    while position < end:
        row = position
        taken = True
        while blanks and (text[position] == _BLANK or text[position] == _TAB):
            position += 1
        for field in range(n_fields):
            role = roles[field]
            start = position
            seen = np.uint64(0)
            if quoted and text[position] == _QUOTE:
                start = position + 1
                stop, doubled = _closing_quote(text, start, end)
                if stop < 0:
                    return OPEN_QUOTE, row, n_rows, seen_in_keys & _HIGH != 0
                if doubled and role != NO_ROLE:
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                position = stop + 1
                if role in (USER_ROLE, ITEM_ROLE):
                    for byte in range(start, stop):
                        if text[byte] == NEWLINE or text[byte] == RETURN:
                            return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                        seen |= np.uint64(text[byte])
            elif blanks:
                while (
                    text[position] != _BLANK
                    and text[position] != _TAB
                    and text[position] != NEWLINE
                    and text[position] != RETURN
                ):
                    seen |= np.uint64(text[position])
                    position += 1
                stop = position
            else:
                stop, seen = _find_end(text, position, separator)
                while (
                    second_separator != 0
                    and text[stop] == separator
                    and text[stop + 1] != second_separator
                ):
                    stop, more = _find_end(text, stop + 1, separator)
                    seen |= more | np.uint64(separator)
                position = stop
                if text[stop] == NEWLINE and stop > start and text[stop - 1] == RETURN:
                    stop -= 1
                    position = stop
            if field < n_fields - 1:
                if blanks:
                    if text[position] != _BLANK and text[position] != _TAB:
                        return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                    while text[position] == _BLANK or text[position] == _TAB:
                        position += 1
                elif text[position] != separator or (
                    second_separator != 0 and text[position + 1] != second_separator
                ):
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                else:
                    position += 2 if second_separator != 0 else 1
            if role == NO_ROLE:
                continue
            if role in (USER_ROLE, ITEM_ROLE):
                if stop == start or stop - start > MAX_KEY_BYTES:
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                seen_in_keys |= seen
                if role == USER_ROLE:
                    user_start[n_rows], user_length[n_rows] = start, stop - start
                else:
                    item_start[n_rows], item_length[n_rows] = start, stop - start
            elif role == RATING_ROLE:
                good, rating = _read_number(text, start, stop)
                if not good:
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                is_none = False
                for other in no_rating:
                    if rating == other:
                        is_none = True
                if is_none:
                    taken = False
                elif rating < ends[0] or rating > ends[1]:
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                rating_out[n_rows] = rating
            elif role == TIME_ROLE:
                if time_kind == NUMBERS:
                    good, seconds = _read_integer(text, start, stop)
                    seconds = seconds * days_of_tick // ticks
                    day, second = seconds // _DAY + EPOCH_DAY, seconds % _DAY
                else:
                    good, day, second = _read_date(text, start, stop)
                if not good or day < 0 or day > _LAST_DAY:
                    return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
                day_out[n_rows], second_out[n_rows] = day, second
            elif not _is_text(text, start, stop, only):
                taken = False
        if ends_with_separator and text[position] == separator:
            position += 2 if second_separator != 0 else 1
        while blanks and (text[position] == _BLANK or text[position] == _TAB):
            position += 1
        if text[position] == RETURN:
            position += 1
        if text[position] != NEWLINE:
            return UNUSUAL, row, n_rows, seen_in_keys & _HIGH != 0
        position += 1
        if taken:
            n_rows += 1
    return OK, position, n_rows, seen_in_keys & _HIGH != 0
