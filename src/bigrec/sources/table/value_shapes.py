"""What the values of a column look like: numbers, times, keys of items or of users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from bigrec.sources.table.plan import (
    ISO,
    ITEM,
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    TIME_UNITS,
    USER,
)

_MISSING: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "\\n"})
_MOST: Final = 0.9
_BOUNDED_SCALE: Final = 100
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_INTEGER: Final = re.compile(r"[+-]?\d+")
_PLAIN_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_BOOLEAN: Final = re.compile(r"true|false", re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+")

_DATE: Final = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_ISO_DAY: Final = re.compile(_DATE)
_ISO_TIME: Final = re.compile(
    _DATE + r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?"
)
_DAY_IN_DIGITS: Final = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_UNITS: Final = ((1e11, SECONDS), (1e14, MILLISECONDS), (1e17, MICROSECONDS))
_LEAST_SECONDS: Final = 1e5  # smaller numbers may be days, or years
_SURE_SECONDS: Final = (1e8, 4.2e9)  # from 1973 to 2103: what has no name must lie there
_TICKS: Final = {SECONDS: 1, MILLISECONDS: 1e3, MICROSECONDS: 1e6}

_ITEM_KEY: Final = re.compile(
    r"B0[0-9A-Z]{8}|tt\d{7,}"  # of Amazon, of IMDb
    r"|(?:item|product|prod|movie|book|song|track|game|artist)[-_ ]?\d+|[im]\d+",
    re.IGNORECASE,
)
_ISBN: Final = re.compile(r"\d{9}[0-9X]|97[89]\d{10}")
_USER_KEY: Final = re.compile(
    r"A[0-9A-Z]{11,20}|A[EFGH][0-9A-Z]{26}|\S+@\S+\.\S+"  # reviewers of Amazon, addresses
    r"|(?:user|customer|reviewer|member)[-_ ]?\d+|u\d+",
    re.IGNORECASE,
)


def is_missing(text: str) -> bool:
    """Whether a field says that there is nothing."""
    return text.strip().lower() in _MISSING


def is_number(text: str) -> bool:
    """Whether a field is a finite number, with a point if it has decimals."""
    return bool(_NUMBER.fullmatch(text))


def is_plain_value(text: str) -> bool:
    """Whether a field is a number or an ISO time: something that is no name of a column."""
    return is_number(text) or bool(_ISO_TIME.fullmatch(text))


def are_mostly(test: Callable[[str], object], values: Sequence[str]) -> bool:
    """Whether there are values, and nine of ten pass a test; the others may be bad lines."""
    return bool(values) and sum(bool(test(value)) for value in values) >= _MOST * len(values)


def are_numbers(values: Sequence[str]) -> bool:
    """Whether a column holds numbers."""
    return are_mostly(is_number, values)


def are_integers(values: Sequence[str]) -> bool:
    """Whether a column holds whole numbers."""
    return are_mostly(_INTEGER.fullmatch, values)


def are_fractions(values: Sequence[str]) -> bool:
    """Whether a column holds numbers of which some have decimals, as no id has."""
    return are_numbers(values) and any(
        float(value) % 1 for value in values if is_number(value) and not _INTEGER.fullmatch(value)
    )


def are_booleans(values: Sequence[str]) -> bool:
    """Whether a column holds true and false."""
    return are_mostly(_BOOLEAN.fullmatch, values)


def have_decimal_commas(values: Sequence[str]) -> bool:
    """Whether numbers are written as 3,5."""
    return not are_numbers(values) and are_mostly(
        lambda value: is_number(value) or _DECIMAL_COMMA.fullmatch(value), values
    )


def look_like_ratings(values: Sequence[str]) -> bool:
    """Whether a column that has no name may be the rating: numbers from -100 to 100."""
    return are_mostly(
        lambda value: is_number(value) and abs(float(value)) <= _BOUNDED_SCALE, values
    )


def look_like_times(values: Sequence[str]) -> bool:
    """Whether a column that has no name may be the time: ISO, or numbers from 1973 to 2103."""
    unit = time_unit_of(values)
    if unit in _TICKS and not are_mostly(lambda value: value.startswith("0"), values):
        return _SURE_SECONDS[0] <= _size(values) / _TICKS[unit] <= _SURE_SECONDS[1]
    return unit == ISO


def are_iso_days(values: Sequence[str]) -> bool:
    """Whether a column holds days such as 2005-10-04, without a time of the day."""
    return are_mostly(_ISO_DAY.fullmatch, values)


def time_unit_of(values: Sequence[str]) -> str | None:
    """How the times of a column are written; None where nobody can tell.

    Args:
        values: of the column, without those that are missing.

    Returns:
        one of plan.TIME_UNITS; never days, for which seconds would be as good a guess.
    """
    if are_mostly(_ISO_TIME.fullmatch, values):
        return ISO
    if not are_mostly(_PLAIN_NUMBER.fullmatch, values) or are_mostly(
        _DAY_IN_DIGITS.fullmatch, values
    ):
        return None
    size = _size(values)
    if size < _LEAST_SECONDS:
        return None
    return next((unit for limit, unit in _UNITS if size < limit), None)


def why_no_times(values: Sequence[str]) -> tuple[str, str]:
    """Why `time_unit_of` cannot tell how times are written, and what to do.

    Args:
        values: of the column, without those that are missing.

    Returns:
        words that follow 'the column holds', and a hint.
    """
    iso = "2005-10-04 or 2018-07-07 22:09:11"
    if not values:
        return "nothing in its first lines", f"say it: --time-unit {', '.join(TIME_UNITS)}"
    found = f"{values[0]!r}"
    if are_mostly(_DAY_IN_DIGITS.fullmatch, values):
        return f"{found}, which seems to be a day in digits", "write days as 2005-10-04"
    if not are_mostly(_PLAIN_NUMBER.fullmatch, values):
        return f"{found}, expected numbers since 1970 or {iso}", f"write times as {iso}"
    if _size(values) < _LEAST_SECONDS:
        return f"{found}, which may be days or seconds", "say it: --time-unit days or seconds"
    return f"{found}, which is too large for microseconds since 1970", "divide it by 1,000"


def role_of_keys(values: Sequence[str]) -> str | None:
    """Whether ids look like those of items or of users, as those of shops do; None if neither."""
    if are_mostly(lambda value: _ITEM_KEY.fullmatch(value) or _is_isbn(value), values):
        return ITEM
    return USER if are_mostly(_USER_KEY.fullmatch, values) else None


def _is_isbn(text: str) -> bool:
    """Whether a key is that of a book: its last digit proves the others, by either standard."""
    if not _ISBN.fullmatch(text):
        return False
    digits = [10 if digit == "X" else int(digit) for digit in text]
    if len(digits) == len("0306406152"):
        return sum(weight * digit for weight, digit in enumerate(reversed(digits), 1)) % 11 == 0
    return sum(digits[::2] + 3 * digits[1::2]) % 10 == 0


def _size(values: Iterable[str]) -> float:
    """What most numbers are as large as; a few that stand for none do not matter."""
    return median(abs(float(value)) for value in values if _PLAIN_NUMBER.fullmatch(value))
