"""Times as tables write them: numbers since 1970-01-01 UTC, ISO 8601, or types of their own.

A time is kept in whole seconds, or as a day where the source has no more; fractions are rounded
down. What is no time from the year 1 to 9999 becomes null.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.sources.table.plan import (
    DAYS,
    ISO,
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    TIME,
    TablePlan,
)

Array = np.ndarray[Any, Any]

_DAY_SECONDS: Final = 86_400
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_FIRST_DAY: Final = datetime.date.min.toordinal() - _EPOCH
_LAST_DAY: Final = datetime.date.max.toordinal() - _EPOCH
_TICKS: Final = {
    SECONDS: 1, MILLISECONDS: 1000, MICROSECONDS: 1_000_000,
    "s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000,
}  # fmt: skip
"""Parts of a second, by the names of ours and of Arrow's units."""
_MOST_TICKS: Final = 1 << 62
"""Numbers as large as this are no times, whatever their unit."""

# The same patterns for Python and for Arrow, which has RE2.
_DAY: Final = "(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_CLOCK: Final = (
    r"[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
    r"(?: ?(?:Z|UTC|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?))?"
)
_ISO: Final = f"{_DAY}(?:{_CLOCK})?"
_WHOLE: Final = "-?[0-9]{1,18}"
_NUMBER: Final = rf"(?P<whole>{_WHOLE})(?:\.(?P<fraction>[0-9]*))?"


def are_days(plan: TablePlan) -> bool:
    """Whether the times of a table are whole days, as far as its examples show.

    Args:
        plan: of a table with times, whose type says nothing of them.
    """
    if plan.time_unit not in (None, ISO):
        return plan.time_unit == DAYS
    found = [row[plan.columns[TIME]] for row in plan.examples]
    texts = [text for text in found if text]
    return bool(texts) and all(re.fullmatch(_DAY, text) for text in texts)


def is_time_type(kind: pa.DataType) -> bool:
    """Whether `parse_times` takes a column of a type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(is_text(kind) or is_number(kind) or is_typed_time(kind))


def is_typed_time(kind: pa.DataType) -> bool:
    """Whether a type says itself that its values are times."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's for text."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether a type is one of numbers, whole or not."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def parse_time(text: str, unit: str) -> tuple[int, int] | None:
    """The day since 1970-01-01 and the second of that day in UTC; None for what is no time.

    Args:
        text: as it stands in the file.
        unit: one of TIME_UNITS.
    """
    if unit == ISO:
        return _parse_iso(text)
    match = re.fullmatch(_NUMBER, text)
    if not match:
        return None
    ticks = int(match["whole"])
    if text.startswith("-") and (match["fraction"] or "").strip("0"):
        ticks -= 1
    day, second = (ticks, 0) if unit == DAYS else divmod(ticks // _TICKS[unit], _DAY_SECONDS)
    return (day, second) if _FIRST_DAY <= day <= _LAST_DAY else None


def _parse_iso(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(_ISO, text)
    if not match:
        return None
    year, month, day, hour, minute, second, zone_hour, zone_minute = (
        int(match[name] or 0)
        for name in "year month day hour minute second zone_hour zone_minute".split()
    )
    if hour > 23 or minute > 59 or second > 59 or zone_hour > 23 or zone_minute > 59:
        return None
    try:
        date = datetime.date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    ahead = (zone_hour * 60 + zone_minute) * (-60 if match["sign"] == "-" else 60)
    seconds = date * _DAY_SECONDS + (hour * 60 + minute) * 60 + second - ahead
    date, second = divmod(seconds, _DAY_SECONDS)
    return (date, second) if _FIRST_DAY <= date <= _LAST_DAY else None


def parse_times(column: pa.Array, unit: str | None) -> pa.Array:
    """Times as date32, where all are whole days, or else as timestamp["s"] in UTC.

    Args:
        column: numbers, text, timestamps or dates, as a dictionary or plain.
        unit: one of TIME_UNITS, for numbers and text; None reads text as ISO 8601.

    Returns:
        As many values, null where one is no time.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        column = column.cast(pa.string())
        return _iso_times(column) if unit in (None, ISO) else _from_ticks(_whole(column), unit)
    if pa.types.is_date(column.type):
        return _from_ticks(column.cast(pa.date32()).view(pa.int32()), DAYS)
    if pa.types.is_timestamp(column.type):
        return _from_ticks(column.view(pa.int64()), column.type.unit)
    assert unit not in (None, ISO)  # noqa: S101 - numbers alone do not say what they are
    return _from_ticks(_floored(column), unit)


def _whole(column: pa.Array) -> pa.Array:
    """Numbers in text, rounded down to int64; null for what is none."""
    if pc.all(pc.match_substring_regex(column, f"^{_WHOLE}$")).as_py():
        return column.cast(pa.int64())
    parts = pc.extract_regex(column, f"^{_NUMBER}$")
    whole = pc.struct_field(parts, "whole").cast(pa.int64())
    is_lower = pc.and_(
        pc.starts_with(column, "-"),
        pc.match_substring_regex(pc.struct_field(parts, "fraction"), "[1-9]"),
    )
    return pc.subtract(whole, is_lower.cast(pa.int64()))


def _floored(column: pa.Array) -> pa.Array:
    """Numbers rounded down to int64; null where they are far too large for a time, or none."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_signed_integer(column.type):
        return column.cast(pa.int64())
    if pa.types.is_floating(column.type):
        column = pc.floor(column.cast(pa.float64()))
        fits = pc.less(pc.abs(column), float(_MOST_TICKS))
    else:
        fits = pc.less(column.cast(pa.uint64()), pa.scalar(_MOST_TICKS, pa.uint64()))
    return pc.if_else(fits, column, None).cast(pa.int64())


def _iso_times(column: pa.Array) -> pa.Array:
    """Times in ISO 8601."""
    if pc.all(pc.match_substring_regex(column, f"^{_DAY}$")).as_py():
        return _days_of_text(column)
    if pc.all(pc.match_substring_regex(column, f"^{_ISO}$")).as_py():
        for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                return _from_ticks(column.cast(kind).view(pa.int64()), MICROSECONDS)
            except pa.ArrowInvalid:  # mixed or longer forms, or no days of the calendar
                continue
    return _from_fields(pc.extract_regex(column, f"^{_ISO}$"))


def _days_of_text(column: pa.Array) -> pa.Array:
    """Days in text that has their form, though they may not be in the calendar."""
    try:
        return _from_ticks(column.cast(pa.date32()).view(pa.int32()), DAYS)
    except pa.ArrowInvalid:
        return _from_fields(pc.extract_regex(column, f"^{_DAY}$")).cast(pa.date32())


def _from_fields(fields: pa.StructArray) -> pa.Array:
    """Times from the groups of _ISO, each as text; null where the text has not its form."""
    year, month, day = (_integers(fields, name) for name in ("year", "month", "day"))
    months = (year - 1970) * 12 + month - 1
    first_days, next_days = (
        (months + ahead).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for ahead in (0, 1)
    )
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (day <= next_days - first_days)
    seconds = (first_days + day - 1) * _DAY_SECONDS
    sign = _text(fields, "sign") if _has(fields, "sign") else None
    factor = 1 if sign is None else np.where(pc.equal(sign, "-").to_numpy(False), 1, -1)
    for name, largest, weight in (
        ("hour", 23, 3600), ("minute", 59, 60), ("second", 59, 1),
        ("zone_hour", 23, factor * 3600), ("zone_minute", 59, factor * 60),
    ):  # fmt: skip
        if _has(fields, name):
            value = _integers(fields, name)
            valid &= value <= largest
            seconds = seconds + value * weight
    valid &= fields.is_valid().to_numpy(False) & _in_range(seconds // _DAY_SECONDS)
    return pa.array(seconds, pa.int64(), mask=~valid).view(pa.timestamp("s"))


def _has(fields: pa.StructArray, name: str) -> bool:
    return bool(fields.type.get_field_index(name) >= 0)


def _text(fields: pa.StructArray, name: str) -> pa.Array:
    """A group, with an empty text where it or the whole did not match."""
    return pc.fill_null(pc.struct_field(fields, name), "")


def _integers(fields: pa.StructArray, name: str) -> Array:
    """(n,) int64: a group as numbers, 0 where it did not match."""
    text = _text(fields, name)
    digits = pc.if_else(pc.equal(text, ""), "0", text)
    return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _from_ticks(ticks: pa.Array, unit: str) -> pa.Array:
    """Times from int32 or int64 numbers of a unit since 1970-01-01; date32 for days."""
    missing = ticks.is_null().to_numpy(zero_copy_only=False)
    values = pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    if unit == DAYS:
        mask = missing | ~_in_range(values)
        return pa.array(np.where(mask, 0, values), pa.int32(), mask=mask).view(pa.date32())
    seconds = values // _TICKS[unit] if _TICKS[unit] > 1 else values
    mask = missing | ~_in_range(seconds // _DAY_SECONDS)
    return pa.array(seconds, pa.int64(), mask=mask).view(pa.timestamp("s"))


def _in_range(days: Array) -> Array:
    return (days >= _FIRST_DAY) & (days <= _LAST_DAY)
