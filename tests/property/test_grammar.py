"""The grammar of ratings, held against a plain reading of it, line by line."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.netflix_files import Row, rating_text, stored_rows, write_netflix

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest import builder
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.schema import MAX_ID
from bigrec.sources import units

_SETTINGS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_HEADER = re.compile(rb"([1-9][0-9]*):")
_RATING = re.compile(rb"([1-9][0-9]*),([1-5]),([0-9]{4})-([0-9]{2})-([0-9]{2})")
_BOM = b"\xef\xbb\xbf"

ids = st.one_of(st.integers(1, 30), st.integers(1, MAX_ID))
days = st.dates(dt.date(1970, 1, 1), dt.date(2099, 12, 31))


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Rows grouped by ascending items, users in any order, no pair twice."""
    items = sorted(draw(st.sets(ids, min_size=1, max_size=5)))
    return [
        (item, user, draw(st.integers(1, 5)), draw(days))
        for item in items
        for user in draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    ]


def read_plainly(text: bytes) -> list[Row] | int:
    """The rows of a text, or the number of the first line that breaks the grammar."""
    lines = text.removeprefix(_BOM).split(b"\n")
    while lines and lines[-1] in (b"", b"\r"):
        lines.pop()
    found: dict[tuple[int, int], Row] = {}
    repeated: dict[tuple[int, int], int] = {}
    item = 0
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix(b"\r")
        if header := _HEADER.fullmatch(line):
            if not item < int(header[1]) <= MAX_ID:
                return number
            item = int(header[1])
            continue
        rating = _RATING.fullmatch(line)
        if not item or not rating or int(rating[1]) > MAX_ID:
            return number
        try:
            day = dt.date(int(rating[3]), int(rating[4]), int(rating[5]))
        except ValueError:
            return number
        if not 1970 <= day.year <= 2099:
            return number
        key = item, int(rating[1])
        if key in found:
            repeated.setdefault(key, number)
        else:
            found[key] = (*key, int(rating[2]), day)
    return min(repeated.values()) if repeated else sorted(found.values())


@pytest.fixture
def tiny_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files at almost every item and within lines, so that cuts are tested as well."""
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 30)
    monkeypatch.setattr(units, "_SLICE_BYTES", 40)


def _ingest(text: bytes, folder: Path) -> list[Row] | int:
    """The rows that ingest stores in both orders, or the line that it complains of."""
    shutil.rmtree(folder, ignore_errors=True)
    raw, store = write_netflix(folder / "raw", ratings=text), folder / "store"
    try:
        ingest_ratings(raw, store)
    except RawFormatError as error:
        if error.path != raw / "combined_data_1.txt" or store.exists():
            raise
        return error.line
    by_item, by_user = stored_rows(store), stored_rows(store, by_user=True)
    assert by_item == sorted(by_item)
    assert by_user == sorted(by_item, key=lambda row: (row[1], row[0]))
    return by_item


@_SETTINGS
@given(rows=rows(), newline=st.sampled_from(["\n", "\r\n"]), bom=st.booleans())
def test_any_rows_round_trip(
    rows: list[Row], newline: str, bom: bool, tmp_path: Path, tiny_units: None
) -> None:
    text = _BOM * bom + rating_text(rows, newline).encode()
    assert _ingest(text, tmp_path / "work") == sorted(rows)


@_SETTINGS
@example(rows=[(1, 1, 1, dt.date(2000, 1, 1))], position=0.0, change="drop", byte=0)
@given(
    rows=rows(),
    position=st.floats(0, 1, exclude_max=True),
    change=st.sampled_from(["replace", "drop", "insert"]),
    byte=st.one_of(st.sampled_from(list(b"0123456789:,-\n\r. ")), st.integers(0, 255)),
)
def test_any_single_wrong_byte_is_found_at_its_line_or_harmless(
    rows: list[Row], position: float, change: str, byte: int, tmp_path: Path, tiny_units: None
) -> None:
    text = rating_text(rows).encode()
    at = int(position * len(text))
    kept = at if change == "insert" else at + 1
    wrong = text[:at] + (b"" if change == "drop" else bytes([byte])) + text[kept:]
    expected = read_plainly(wrong)
    if expected == []:
        with pytest.raises(DataError):
            _ingest(wrong, tmp_path / "work")
    else:
        assert _ingest(wrong, tmp_path / "work") == expected


@_SETTINGS
@given(
    rows=rows(),
    junk=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(["", "x", "9999999999,3,2000-01-01", "5,6,2000-01-01", "5;3;2000"]),
        ),
        max_size=4,
    ),
)
def test_skipping_loses_the_junk_and_nothing_else(
    rows: list[Row], junk: list[tuple[float, str]], tmp_path: Path, tiny_units: None
) -> None:
    """Junk that cannot be a header goes alone; junk that may be one takes its ratings along."""
    lines = rating_text(rows).splitlines()
    marked = [(line, False) for line in lines]
    for position, text in junk:
        marked.insert(1 + int(position * (len(marked) - 2)), (text, True))
    while not marked[-1][0]:
        marked.pop()
    kept, rejected, item = [], [], 0
    for number, (line, is_junk) in enumerate(marked, start=1):
        if is_junk:
            rejected.append(number)
            item = item if not line or "," in line else 0
        elif line.endswith(":"):
            item = int(line[:-1])
        elif item:
            user, stars, day = line.split(",")
            kept.append((item, int(user), int(stars), dt.date.fromisoformat(day)))
        else:
            rejected.append(number)
    shutil.rmtree(tmp_path / "work", ignore_errors=True)
    work = tmp_path / "work"
    joined = "".join(line + "\n" for line, _ in marked).encode()
    raw, store = write_netflix(work / "raw", ratings=joined), work / "store"
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects)
    if not kept:
        with pytest.raises(DataError, match="no ratings"):
            ingest_ratings(raw, store, options=options)
        return
    summary = ingest_ratings(raw, store, options=options)
    assert stored_rows(store) == sorted(kept)
    assert summary.n_rejected == len(rejected)
    reported = [int(line.split(",")[1]) for line in rejects.read_text().splitlines()[1:]]
    assert reported == rejected
