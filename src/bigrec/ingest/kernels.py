"""The compiled inner loops of ingest: one strict parser a grammar, and the unpacking of its rows.

A parsed row is one 64-bit key: user_id in the upper 32 bits, then the day (16 bits) and the rating
in half stars (8 bits). A parser stops at the first byte that breaks its grammar and returns an error
code and that byte's offset; EXPECTED turns the code into words. The loops release the GIL and are
cached on disk.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

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

EXPECTED: Final = {
    BAD_LINE: "a movie header such as '8:' or a line such as '1488844,3,2005-09-06'",
    BAD_ID: f"an id from 1 to {MAX_ID} without leading zeros",
    BAD_RATING: "a rating on the scale of the source (Netflix: 1 to 5; MovieLens: 0.5 to 5)",
    BAD_DATE: "a day of the calendar from 1970-01-01 to 2099-12-31, such as 2005-09-06",
    BAD_ORDER: "movie ids in ascending order, each opened once",
    NO_HEADER: "a movie header such as '8:' before the first rating",
    BLANK_LINE: "no blank line before the end of the file",
    BAD_TIMESTAMP: "a timestamp in seconds from 0 to 4102444799 (the end of 2099)",
    BAD_LINE_END: "the end of the line",
}

_NEWLINE, _RETURN, _COMMA, _COLON, _DOT, _ZERO = 10, 13, 44, 58, 46, 48
_LAST_SECOND = 4_102_444_799
_SECONDS_A_DAY = 86_400


def _month_tables() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    months = np.arange("1970-01", "2100-02", dtype="datetime64[M]")
    first_days = months.astype("datetime64[D]").astype(np.int64)
    return first_days[:-1].astype(np.int32), np.diff(first_days).astype(np.int32)


_MONTH_START, _MONTH_LENGTH = _month_tables()  # each (1560,): months since 1970-01

_compiled = numba.njit(nogil=True, cache=True)
_inlined = numba.njit(nogil=True, cache=True, inline="always")


@_inlined
def _read_id(text, position):  # type: ignore[no-untyped-def]
    """Read digits; return (value or -1, position of the first non-digit)."""
    value = np.int64(0)
    first = position
    digit = np.int64(text[position]) - _ZERO
    if digit <= 0 or digit > 9:
        return np.int64(-1), position
    while 0 <= digit <= 9 and position - first < 11:
        value = value * 10 + digit
        position += 1
        digit = np.int64(text[position]) - _ZERO
    if value > MAX_ID or 0 <= digit <= 9:
        return np.int64(-1), first
    return value, position


@_inlined
def _read_day(text, position):  # type: ignore[no-untyped-def]
    """Read YYYY-MM-DD; return the days since 1970-01-01, or -1. The text must hold 10 more bytes."""
    for offset in (0, 1, 2, 3, 5, 6, 8, 9):
        digit = np.int64(text[position + offset]) - _ZERO
        if digit < 0 or digit > 9:
            return np.int64(-1)
    if text[position + 4] != 45 or text[position + 7] != 45:
        return np.int64(-1)
    year = (
        (np.int64(text[position]) - _ZERO) * 1000
        + (np.int64(text[position + 1]) - _ZERO) * 100
        + (np.int64(text[position + 2]) - _ZERO) * 10
        + (np.int64(text[position + 3]) - _ZERO)
    )
    month = (np.int64(text[position + 5]) - _ZERO) * 10 + np.int64(text[position + 6]) - _ZERO
    day = (np.int64(text[position + 8]) - _ZERO) * 10 + np.int64(text[position + 9]) - _ZERO
    if year < 1970 or year > 2099 or month < 1 or month > 12:
        return np.int64(-1)
    index = (year - 1970) * 12 + month - 1
    if day < 1 or day > _MONTH_LENGTH[index]:
        return np.int64(-1)
    return np.int64(_MONTH_START[index]) + day - 1


@_inlined
def _line_end(text, position):  # type: ignore[no-untyped-def]
    """Return the position behind `\\n` or `\\r\\n`, or -1."""
    if text[position] == _NEWLINE:
        return position + 1
    if text[position] == _RETURN and text[position + 1] == _NEWLINE:
        return position + 2
    return -1


@_inlined
def _only_blank_lines(text, position, length):  # type: ignore[no-untyped-def]
    while position < length:
        after = _line_end(text, position)
        if after < 0:
            return False
        position = after
    return True


@_compiled
def parse_netflix(text, length, has_rating, has_date, ends_file, keys, movies, starts):  # type: ignore[no-untyped-def]
    """Parse movie blocks: a line `movie_id:`, then lines `user_id[,rating][,date]`.

    Args:
        text: uint8, at least length + 16 long, zero behind length; text[length - 1] is a newline.
        length: bytes to parse.
        has_rating: whether a line holds a rating from 1 to 5.
        has_date: whether a line holds a day.
        ends_file: whether blank lines may stand at the end.
        keys: uint64 out, one a row.
        movies: int32 out, one a header, ascending.
        starts: int64 out, the first row of each movie, and behind the last the number of rows.

    Returns:
        (error code, offset of the offence, number of rows, number of movies).
    """
    position = 0
    n_rows = 0
    n_movies = 0
    while position < length:
        line = position
        value, position = _read_id(text, position)
        if value < 0:
            if _line_end(text, line) >= 0:
                if ends_file and _only_blank_lines(text, line, length):
                    break
                return BLANK_LINE, line, n_rows, n_movies
            character = text[line]
            return (BAD_ID if 48 <= character <= 57 else BAD_LINE), line, n_rows, n_movies
        if text[position] == _COLON:
            if n_movies > 0 and value <= movies[n_movies - 1]:
                return BAD_ORDER, line, n_rows, n_movies
            movies[n_movies] = value
            starts[n_movies] = n_rows
            n_movies += 1
            position = _line_end(text, position + 1)
            if position < 0:
                return BAD_LINE, line, n_rows, n_movies
            continue
        if n_movies == 0:
            return NO_HEADER, line, n_rows, n_movies
        key = np.uint64(value) << np.uint64(32)
        if has_rating:
            if text[position] != _COMMA:
                return BAD_LINE, line, n_rows, n_movies
            rating = np.int64(text[position + 1]) - _ZERO
            if rating < 1 or rating > 5:
                return BAD_RATING, position + 1, n_rows, n_movies
            key |= np.uint64(rating * 2)
            position += 2
        if has_date:
            if text[position] != _COMMA:
                code = BAD_RATING if has_rating else BAD_LINE
                return code, position, n_rows, n_movies
            day = _read_day(text, position + 1)
            if day < 0:
                return BAD_DATE, position + 1, n_rows, n_movies
            key |= np.uint64(day) << np.uint64(8)
            position += 11
        after = _line_end(text, position)
        if after < 0:
            return BAD_LINE_END, position, n_rows, n_movies
        keys[n_rows] = key
        n_rows += 1
        position = after
    starts[n_movies] = n_rows
    return OK, length, n_rows, n_movies


@_compiled
def parse_delimited(text, length, separator, separator_width, ends_file, keys, movies):  # type: ignore[no-untyped-def]
    """Parse lines `user_id SEP movie_id SEP rating SEP timestamp`, in any order.

    Args:
        text: uint8, at least length + 16 long, zero behind length; text[length - 1] is a newline.
        length: bytes to parse.
        separator: the byte between fields.
        separator_width: how often it stands there: 1, or 2 for `::`.
        ends_file: whether blank lines may stand at the end.
        keys: uint64 out, one a row.
        movies: int32 out, one a row.

    Returns:
        (error code, offset of the offence, number of rows).
    """
    position = 0
    n_rows = 0
    while position < length:
        line = position
        user, position = _read_id(text, position)
        if user < 0:
            if _line_end(text, line) >= 0:
                if ends_file and _only_blank_lines(text, line, length):
                    break
                return BLANK_LINE, line, n_rows
            return BAD_ID, line, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                return BAD_LINE_END if text[position] == _NEWLINE else BAD_ID, line, n_rows
            position += 1
        movie, position = _read_id(text, position)
        if movie < 0:
            return BAD_ID, position, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                return BAD_ID, line, n_rows
            position += 1
        half_stars = (np.int64(text[position]) - _ZERO) * 2
        if half_stars < 0 or half_stars > 10:
            return BAD_RATING, position, n_rows
        rating_at = position
        position += 1
        if text[position] == _DOT:
            if text[position + 1] == 53:
                half_stars += 1
            elif text[position + 1] != _ZERO:
                return BAD_RATING, rating_at, n_rows
            position += 2
        if half_stars < 1 or half_stars > 10:
            return BAD_RATING, rating_at, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                return BAD_RATING, rating_at, n_rows
            position += 1
        seconds = np.int64(0)
        first_digit = position
        digit = np.int64(text[position]) - _ZERO
        while 0 <= digit <= 9 and position - first_digit < 11:
            seconds = seconds * 10 + digit
            position += 1
            digit = np.int64(text[position]) - _ZERO
        if position == first_digit or seconds > _LAST_SECOND:
            return BAD_TIMESTAMP, first_digit, n_rows
        after = _line_end(text, position)
        if after < 0:
            return BAD_TIMESTAMP, first_digit, n_rows
        day = seconds // _SECONDS_A_DAY
        keys[n_rows] = (
            (np.uint64(user) << np.uint64(32))
            | (np.uint64(day) << np.uint64(8))
            | np.uint64(half_stars)
        )
        movies[n_rows] = movie
        n_rows += 1
        position = after
    return OK, length, n_rows


@_compiled
def sort_within_movies(keys, starts, n_movies, scratch):  # type: ignore[no-untyped-def]
    """Sort the keys of each movie by user, in place.

    Args:
        keys: uint64, rows grouped by movie.
        starts: int64, the first row of each movie and one past the last.
        n_movies: number of groups.
        scratch: uint64, as long as the largest group.
    """
    counts = np.zeros(2048, np.int64)
    for movie in range(n_movies):
        group = keys[starts[movie] : starts[movie + 1]]
        size = group.size
        if size < 1024:
            group.sort()
            continue
        largest = np.uint64(0)
        for row in range(size):
            largest = max(largest, group[row])
        # Least significant digit first, 11 bits a pass, over the user's bits alone.
        source, target = group, scratch[:size]
        shift = np.uint64(32)
        while largest >> shift:
            counts[:] = 0
            for row in range(size):
                counts[(source[row] >> shift) & np.uint64(2047)] += 1
            total = 0
            for digit in range(2048):
                total, counts[digit] = total + counts[digit], total
            for row in range(size):
                digit = (source[row] >> shift) & np.uint64(2047)
                target[counts[digit]] = source[row]
                counts[digit] += 1
            source, target = target, source
            shift += np.uint64(11)
        if source is not group:
            group[:] = source


@_inlined
def _mix(value):  # type: ignore[no-untyped-def]
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@_inlined
def row_digest(movie, key):  # type: ignore[no-untyped-def]
    """A 64-bit digest of one row; sums of it do not depend on the order of rows."""
    return _mix(key ^ _mix(np.uint64(movie) + np.uint64(0x9E3779B97F4A7C15)))


@_compiled
def unpack_movies(keys, movies, starts, n_movies, movie_id, user_id, rating, day, sums):  # type: ignore[no-untyped-def]
    """Unpack sorted keys into columns and take their statistics.

    Args:
        keys, movies, starts, n_movies: as `parse_netflix` left them, sorted within movies.
        movie_id, user_id: int32 out, one a row.
        rating: float32 out, stars.
        day: int32 out, days since 1970-01-01.
        sums: int64 out, the half stars of each movie added up.

    Returns:
        (row that repeats the user before it or -1, digest of the rows, first day, last day).
    """
    duplicate = np.int64(-1)
    digest = np.uint64(0)
    first_day = np.int32(1 << 30)
    last_day = np.int32(-1)
    for movie in range(n_movies):
        movie_number = movies[movie]
        total = np.int64(0)
        before = np.uint64(0)
        for row in range(starts[movie], starts[movie + 1]):
            key = keys[row]
            user = key >> np.uint64(32)
            half_stars = np.int64(key & np.uint64(255))
            row_day = np.int32((key >> np.uint64(8)) & np.uint64(65535))
            if user == before and duplicate < 0:
                duplicate = row
            before = user
            movie_id[row] = movie_number
            user_id[row] = user
            rating[row] = half_stars * np.float32(0.5)
            day[row] = row_day
            total += half_stars
            digest += row_digest(movie_number, key)
            first_day = min(first_day, row_day)
            last_day = max(last_day, row_day)
        sums[movie] = total
    return duplicate, digest, first_day, last_day
