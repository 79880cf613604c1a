"""The compiled loops of the Netflix Prize set: item blocks are parsed, and sorted by user.

Keys are those of `fields`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS
from bigrec.sources.fields import (
    BAD_DATE,
    BAD_ID,
    BAD_LINE,
    BAD_LINE_END,
    BAD_ORDER,
    BAD_WHOLE_STARS,
    BLANK_LINE,
    COLON,
    COMMA,
    MONTH_LENGTH,
    MONTH_START,
    NO_DATE,
    NO_HEADER,
    OK,
    ZERO,
    line_end,
    load_word,
    read_day,
    read_id,
)  # fmt: skip

_RADIX_BITS = 11
_SMALL_GROUP = 32


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
    word = load_word(text, position) ^ _EIGHT_ZEROS
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
    one = load_word(text, behind) ^ _RATING_YEAR
    two = (load_word(text, behind + 8) ^ _MONTH_DAY) & _SIX_BYTES
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
    if day < 1 or day > MONTH_LENGTH[index]:
        return np.uint64(0), position
    date = np.uint64(MONTH_START[index] + day - 1)
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
        value, position = read_id(text, position)
        if value < 0:
            if line_end(text, line) >= 0:
                code = BLANK_LINE
            else:
                code = BAD_ID if ZERO <= text[line] <= 57 else BAD_LINE
            break
        if text[position] == COLON:
            after = line_end(text, position + 1)
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
            if text[position] != COMMA:
                code = BAD_LINE
                break
            rating = np.int64(text[position + 1]) - ZERO
            if rating < 1 or rating > 5:
                position += 1
                code = BAD_WHOLE_STARS
                break
            payload = rating - 1
            position += 2
        if has_date:
            if text[position] != COMMA:
                code = BAD_LINE
                if has_rating:
                    code = NO_DATE if line_end(text, position) >= 0 else BAD_WHOLE_STARS
                break
            day = read_day(text, position + 1)
            if day < 0:
                position += 1
                code = BAD_DATE
                break
            payload |= day << CODE_BITS
            position += 11
        after = line_end(text, position)
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
def sort_within_items(keys, starts, n_items, scratch):  # type: ignore[no-untyped-def]
    """Sort the keys of each item by user, in place; rows of one user keep their order.

    Args:
        keys: uint64, rows grouped by item.
        starts: int64, the first row of each item and one past the last.
        n_items: number of groups.
        scratch: uint64, as long as the largest group.
    """
    counts = np.zeros(1 << _RADIX_BITS, np.int64)
    for item in range(n_items):
        group = keys[starts[item] : starts[item + 1]]
        size = group.size
        if size <= _SMALL_GROUP:
            for row in range(1, size):
                key = group[row]
                position = row
                while position > 0 and group[position - 1] >> np.uint64(32) > key >> np.uint64(32):
                    group[position] = group[position - 1]
                    position -= 1
                group[position] = key
            continue
        largest = np.uint64(0)
        for row in range(size):
            largest = max(largest, group[row])
        largest >>= np.uint64(32)
        bits = 0
        while largest >> np.uint64(bits):
            bits += 1
        n_passes = (bits + _RADIX_BITS - 1) // _RADIX_BITS
        digit_bits = (bits + n_passes - 1) // n_passes
        digit_mask = np.uint64((1 << digit_bits) - 1)
        source, target = group, scratch[:size]
        for number in range(n_passes):
            shift = np.uint64(32 + number * digit_bits)
            counts[: 1 << digit_bits] = 0
            for row in range(size):
                counts[(source[row] >> shift) & digit_mask] += 1
            total = 0
            for digit in range(1 << digit_bits):
                total, counts[digit] = total + counts[digit], total
            for row in range(size):
                key = source[row]
                digit = (key >> shift) & digit_mask
                position = counts[digit]
                counts[digit] = position + 1
                target[position] = key
            source, target = target, source
        if n_passes % 2:
            group[:] = source


@compiled
def spread_items(items, starts, n_items, item_id):  # type: ignore[no-untyped-def]
    """Fill item_id (int32, one a row) with each item's id over its rows."""
    for item in range(n_items):
        item_id[starts[item] : starts[item + 1]] = items[item]
