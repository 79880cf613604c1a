"""Times of tables, held against Python's datetime."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.sources.table.plan import (
    DAYS,
    ISO,
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    TEXT,
    TIME_UNITS,
    TablePlan,
)
from bigrec.sources.table.times import are_days, parse_time, parse_times

EPOCH = dt.datetime(1970, 1, 1)


def _pairs(times: pa.Array) -> list[tuple[int, int] | None]:
    """Days and seconds, as parse_time has them."""
    if pa.types.is_date32(times.type):
        return [None if day is None else (day, 0) for day in times.view(pa.int32()).to_pylist()]
    assert times.type == pa.timestamp("s")
    return [None if t is None else divmod(t, 86_400) for t in times.view(pa.int64()).to_pylist()]


def _pair(moment: dt.datetime) -> tuple[int, int]:
    return divmod(int((moment.replace(microsecond=0) - EPOCH).total_seconds()), 86_400)


numbers = st.from_regex(r"-?[0-9]{1,19}(\.[0-9]{0,3})?", fullmatch=True)
nearly_iso = st.from_regex(
    r"[0-9]{3,4}-[01][0-9]-[0-3][0-9]([T _][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,7})?)?"
    r"( ?(Z|UTC|[+-][0-2][0-9](:?[0-9]{2})?))?)?",
    fullmatch=True,
)
texts = st.lists(st.one_of(numbers, nearly_iso, st.text(max_size=4)), max_size=6)


@settings(deadline=None)
@given(texts=texts, unit=st.sampled_from(TIME_UNITS))
def test_a_column_of_text_is_read_as_its_values_are(texts: list[str], unit: str) -> None:
    try:
        column = pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return
    assert _pairs(parse_times(column, unit)) == [parse_time(text, unit) for text in texts]


@settings(deadline=None)
@given(
    moments=st.lists(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)), min_size=1),
    separator=st.sampled_from("T "),
    digits=st.sampled_from(["seconds", "milliseconds", "microseconds", "minutes"]),
    ahead=st.sampled_from([None, 0, 330, -480]),
)
def test_what_datetime_writes_is_read(
    moments: list[dt.datetime], separator: str, digits: str, ahead: int | None
) -> None:
    texts, expected = [], []
    for moment in moments:
        if digits == "minutes":
            moment = moment.replace(second=0)
        zoned = moment
        if ahead is not None:
            zone = dt.timezone(dt.timedelta(minutes=ahead))
            zoned = moment.replace(tzinfo=dt.UTC).astimezone(zone)
        texts.append(zoned.isoformat(separator, digits))
        expected.append(_pair(moment))
    assert _pairs(parse_times(pa.array(texts), ISO)) == expected
    assert [parse_time(text, ISO) for text in texts] == expected


@settings(deadline=None)
@given(days=st.lists(st.dates(), min_size=1))
def test_days_stay_days(days: list[dt.date]) -> None:
    for column in (pa.array([day.isoformat() for day in days]), pa.array(days)):
        times = parse_times(column, ISO)
        assert times.type == pa.date32()
        assert times.to_pylist() == days


@settings(deadline=None)
@given(
    moments=st.lists(
        st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)), min_size=1, max_size=5
    ),
    unit=st.sampled_from([SECONDS, MILLISECONDS, MICROSECONDS]),
    kind=st.sampled_from(["int64", "text", "dictionary", "decimal"]),
)
def test_numbers_are_rounded_down_to_seconds(
    moments: list[dt.datetime], unit: str, kind: str
) -> None:
    step = dt.timedelta(**{unit: 1})
    ticks = [(moment - EPOCH) // step for moment in moments]
    column = pa.array(ticks)
    if kind in ("text", "dictionary"):
        column = column.cast(pa.string())
    if kind == "dictionary":
        column = column.dictionary_encode()
    if kind == "decimal":  # goes through float64
        column = pa.array([Decimal(tick) for tick in ticks], pa.decimal128(30, 2))
        if max(map(abs, ticks)) > 2**53:
            return
    assert _pairs(parse_times(column, unit)) == [_pair(moment) for moment in moments]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_timestamps_of_any_unit_and_zone_are_seconds_in_utc(unit: str, zone: str | None) -> None:
    part = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    column = pa.array([-1, -part, part - 1, 86_400 * part, None]).view(pa.timestamp(unit, zone))
    expected = [(-1, 86_399), (-1, 86_399), (0, 0), (1, 0), None]
    assert _pairs(parse_times(column, None)) == expected


def test_floats_are_rounded_down_and_what_is_no_number_is_no_time() -> None:
    column = pa.array([1.5, -0.5, float("nan"), float("inf"), None, 1e300])
    assert _pairs(parse_times(column, SECONDS)) == [(0, 1), (-1, 86_399), None, None, None, None]


def test_unsigned_numbers_that_are_too_large_are_no_times() -> None:
    column = pa.array([2**64 - 1, 86_400, None], pa.uint64())
    assert _pairs(parse_times(column, SECONDS)) == [None, (1, 0), None]


def test_days_may_be_counted() -> None:
    times = parse_times(pa.array([-1, 0, 18_262]), DAYS)
    assert times.to_pylist() == [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2020, 1, 1)]


@pytest.mark.parametrize(
    "text",
    ["2021-02-29", "2020-13-01", "0000-01-01", "2020-01-01 24:00:00", "2020-01-01 10:60:00",
     "2020-01-01T10:00:60", "03 6, 2014", "10/04/2005", "", "2020-01-01\n", "2020-01-01 ",
     "2020-01-01 10:00:00+24:00", "٢٠٢٠-01-01", "9999-12-31 23:59:59-01:00"],
)  # fmt: skip
def test_what_is_no_time_is_none_beside_others(text: str) -> None:
    assert parse_time(text, ISO) is None
    for other in ("2020-01-01", "2020-01-01 10:00:00"):
        assert _pairs(parse_times(pa.array([other, text]), ISO))[1] is None


@pytest.mark.parametrize(
    "text", ["", "-", "1_0", "0x1F", " 1", "1e9", "nan", "+1", "1.5.", "9" * 19]
)
def test_what_is_no_number_is_no_time(text: str) -> None:
    assert parse_time(text, SECONDS) is None
    assert _pairs(parse_times(pa.array(["1", text]), SECONDS)) == [(0, 1), None]


@pytest.mark.parametrize(
    ("unit", "examples", "expected"),
    [
        (ISO, ["2020-01-01", "", "2020-01-02"], True),
        (None, ["2020-01-01"], True),
        (ISO, ["2020-01-01", "2020-01-02 10:00:00"], False),
        (ISO, [], False),
        (DAYS, ["18262"], True),
        (SECONDS, ["18262"], False),
    ],
)
def test_examples_show_whether_times_are_days(
    unit: str | None, examples: list[str], expected: bool
) -> None:
    rows = tuple((text,) for text in examples)
    assert are_days(TablePlan(TEXT, (), ("when",), {"time": 0}, unit, examples=rows)) is expected
