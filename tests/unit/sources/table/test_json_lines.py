"""Files of JSON objects as batches of ratings, held against Python's own reader."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.errors import DataError, RawFormatError
from bigrec.sources.parsed import BadLine
from bigrec.sources.raw import RawFile, list_members
from bigrec.sources.table import json_files, json_lines
from bigrec.sources.table.json_lines import locate_json_line, peek_json_lines, read_json_lines
from bigrec.sources.table.plan import ISO, JSON_LINES, MILLISECONDS, SECONDS, TablePlan

REVIEWS = (
    '{"overall": 5.0, "reviewerID": "A7", "asin": "007", "unixReviewTime": 1441324800, '
    '"style": {"Size:": "L"}, "reviewText": "one\\ntwo"}\n'
    '{"reviewerID": "Ä", "overall": 4, "asin": "7", "unixReviewTime": -1, "vote": null}\n'
)
ROLES = {"user": "u", "item": "i", "rating": "r", "time": "t"}


def _file(tmp_path: Path, text: str | bytes, name: str = "reviews.json") -> RawFile:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return RawFile(path)


def _plan(
    *files: RawFile, unit: str | None = SECONDS, examples: tuple[str, ...] = (), **roles: str
) -> TablePlan:
    roles = roles or ROLES
    names = tuple(roles.values())
    columns = {role: position for position, role in enumerate(roles)}
    rows = tuple(("", "", "", text) for text in examples)
    return TablePlan(JSON_LINES, files, names, columns, unit, examples=rows)


def _amazon_plan(file: RawFile) -> TablePlan:
    return _plan(file, user="reviewerID", item="asin", rating="overall", time="unixReviewTime")


def _rows(plan: TablePlan, bad: list[BadLine] | None = None) -> list[tuple[Any, ...]]:
    return [
        tuple(row.values()) for batch in read_json_lines(plan, bad) for row in batch.to_pylist()
    ]


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "zip"])
def test_lines_of_every_packing_are_read(tmp_path: Path, packing: str) -> None:
    file = _file(tmp_path, REVIEWS)
    if packing == "gzip":
        file = _file(tmp_path, gzip.compress(REVIEWS.encode()), "reviews.json.gz")
    if packing == "zstd":
        file = RawFile(tmp_path / "reviews.json.zst")
        with pa.output_stream(file.path, compression="zstd") as target:
            target.write(REVIEWS.encode())
    if packing == "zip":
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.write(file.path, "folder/reviews.json")
        (file,) = list_members(tmp_path / "all.zip")
    assert peek_json_lines(file) == (
        ("overall", "reviewerID", "asin", "unixReviewTime", "style.Size:", "reviewText", "vote"),
        (
            ("5.0", "A7", "007", "1441324800", "L", "one\ntwo", ""),
            ("4", "Ä", "7", "-1", "", "", ""),
        ),
    )
    assert _rows(_amazon_plan(file)) == [
        ("A7", "007", 5.0, dt.datetime(2015, 9, 4)),
        ("Ä", "7", 4.0, dt.datetime(1969, 12, 31, 23, 59, 59)),
    ]


ids = st.one_of(st.text(min_size=1, max_size=5), st.integers(-(2**70), 2**70))
records = st.fixed_dictionaries(
    {"u": ids, "i": ids},
    optional={
        "r": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()),
        "t": st.one_of(
            st.none(),
            st.integers(-(10**10), 10**10),
            st.floats(-1e9, 1e9),
            st.integers(-(10**10), 10**10).map(str),
        ),
        "more": st.recursive(
            st.one_of(st.none(), st.text(max_size=3)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    },
)


@settings(deadline=None)
@given(
    rows=st.lists(records, max_size=8),
    form=st.sampled_from(["lines", "loose", "array", "pretty"]),
    ascii_only=st.booleans(),
    block_bytes=st.sampled_from([1 << 20, 64, 7]),
)
def test_what_json_writes_is_read(
    rows: list[dict[str, Any]], form: str, ascii_only: bool, block_bytes: int
) -> None:
    def write(value: object, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    text = "".join(f"{write(row) if form == 'lines' else row}\n" for row in rows)
    if form in ("array", "pretty"):
        text = write(rows, 2 if form == "pretty" else None)
    expected = []
    for row in rows:
        time = row.get("t")
        moment = None
        if time is not None:
            moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=int(float(time) // 1))
        rating = row.get("r")
        expected.append(
            (str(row["u"]), str(row["i"]), None if rating is None else float(rating), moment)
        )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        try:
            file = _file(Path(folder), text)
        except UnicodeEncodeError:  # a lone surrogate
            return
        patch.setattr(json_files, "BLOCK_BYTES", block_bytes)
        plan = _plan(file)
        assert _rows(plan) == expected
        patch.setattr(json_lines._Reader, "parse", lambda self, block: None)
        assert _rows(plan) == expected


def test_good_blocks_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines._Reader, "parse_by_line", None)
    lines = [
        {"user": {"id": n}, "i": str(n), "r": n % 2 == 0, "t": "2020-01-01T00:00:00Z"}
        for n in range(9)
    ]
    file = _file(tmp_path, "\ufeff" + "".join(json.dumps(line) + "\r\n" for line in lines))
    plan = _plan(file, unit=ISO, user="user.id", item="i", rating="r", time="t")
    assert peek_json_lines(file)[0] == ("user.id", "i", "r", "t")
    day = dt.datetime(2020, 1, 1)
    assert _rows(plan) == [(str(n), str(n), float(n % 2 == 0), day) for n in range(9)]


def test_fields_of_inner_objects_may_be_missing(tmp_path: Path) -> None:
    file = _file(tmp_path, '{"u":{"id":"a"},"i":1,"x":{"r":2}}\n{"u":{"id":"b"},"i":1,"x":null}\n')
    assert _rows(_plan(file, user="u.id", item="i", rating="x.r")) == [
        ("a", "1", 2.0), ("b", "1", None),
    ]  # fmt: skip


def test_days_are_days_where_the_examples_are(tmp_path: Path) -> None:
    lines = ['{"u":1,"i":2,"r":3,"t":"2020-01-01"}', '{"u":1,"i":2,"r":3,"t":"2020-01-01 10:00"}']
    one = _file(tmp_path, lines[0])
    days = _plan(one, unit=ISO, examples=("2020-01-01",))
    (batch,) = read_json_lines(days)
    assert batch.column("date").to_pylist() == [dt.date(2020, 1, 1)]
    both = _file(tmp_path, "\n".join(lines))
    days = _plan(both, unit=ISO, examples=("2020-01-01",))
    with pytest.raises(RawFormatError, match="expected a day, without a time"):
        list(read_json_lines(days))
    times = _plan(both, unit=ISO, examples=("2020-01-01", "2020-01-01 10:00"))
    assert [row[3] for row in _rows(times)] == [
        dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 10),
    ]  # fmt: skip


GOOD = '{"u":"a","i":"b","r":1,"t":1000}'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[1]", "an object of JSON"),
        ('{"u":"a"', "an object of JSON"),
        (f"{GOOD} {GOOD}", "an object of JSON"),
        ("{'u': open('x')}", "an object of JSON"),
        ("{" + "[" * 100_000, "an object of JSON"),
        ('{"i":"b","r":1}', "a text or a whole number as user in 'u', not null"),
        ('{"u":null,"i":"b"}', "as user"),
        ('{"u":"","i":"b"}', "as user in 'u', not \"\""),
        ('{"u":true,"i":"b"}', "as user"),
        ('{"u":1.0,"i":"b"}', "as user in 'u', not 1.0"),
        ('{"u":"a","i":{"x":1}}', "as item in 'i', not {\"x\": 1}"),
        ('{"u":"\\ud800","i":"b"}', "text in UTF-8 as user"),
        (b'{"u":"\xff","i":"b"}', "text in UTF-8 as user"),
        ('{"u":"a","i":"b","r":"5"}', "a number as rating in 'r', not \"5\""),
        ('{"u":"a","i":"b","r":NaN}', "a number as rating in 'r', not NaN"),
        ('{"u":"a","i":"b","r":1e999}', "not Infinity"),
        (f'{{"u":"a","i":"b","r":1{"0" * 400}}}', "a number as rating"),
        ('{"u":"a","i":"b","r":[5]}', "a number as rating in 'r', not [5]"),
        ('{"u":"a","i":"b","t":"soon"}', "a time in milliseconds as time in 't', not \"soon\""),
        ('{"u":"a","i":"b","t":true}', "as time"),
        ('{"u":"a","i":"b","t":99999999999999999}', "as time"),
    ],
    ids=range(21),
)
def test_a_bad_line_is_named_or_left_out(tmp_path: Path, line: str | bytes, expected: str) -> None:
    line = line if isinstance(line, bytes) else line.encode()
    file = _file(tmp_path, f"{GOOD}\n\n".encode() + line + f"\n{GOOD}".encode())
    plan = _plan(file, unit=MILLISECONDS)
    with pytest.raises(RawFormatError) as caught:
        list(read_json_lines(plan))
    assert caught.value.line == 3
    assert expected in caught.value.expected
    bad: list[BadLine] = []
    assert _rows(plan, bad) == [("a", "b", 1.0, dt.datetime(1970, 1, 1, 0, 0, 1))] * 2
    assert [(one.path, one.line) for one in bad] == [(file.path, 3)]
    assert [locate_json_line(plan, row, bad) for row in range(2)] == [
        f"{file.path}, line 1", f"{file.path}, line 4",
    ]  # fmt: skip


def test_bytes_that_are_no_utf_8_matter_in_needed_fields_only(tmp_path: Path) -> None:
    file = _file(tmp_path, b'{"u":"a","i":"b","text":"\xff"}\n{"u":1,"i":"b","text":"\xff"}\n')
    assert _rows(_plan(file, user="u", item="i")) == [("a", "b"), ("1", "b")]


def test_backslashes_of_the_loose_form_warn_nobody(tmp_path: Path) -> None:
    file = _file(tmp_path, "{'u': u'a', 'i': 'b', 'text': 'C:\\d'}\n")
    assert _rows(_plan(file, user="u", item="i")) == [("a", "b")]


def test_letters_are_whole_though_blocks_cut_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"u": "äß€😀" * n, "i": "é"} for n in range(1, 9)]
    plan = _plan(_file(tmp_path, json.dumps(rows, ensure_ascii=False)), user="u", item="i")
    for block_bytes in range(1, 9):
        monkeypatch.setattr(json_files, "BLOCK_BYTES", block_bytes)
        assert _rows(plan) == [(row["u"], "é") for row in rows]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"u":1,"i":2},\n{"u":1,"i":2}', 2), ('[{"u":1,"i":2},\n{"u":1,"i":', 2),
        ('[{"u":1,"i":2}\n{"u":1,"i":2}]', 2), ('[{"u":1,"i":2},\n{"u":oops}]' + " " * 99, 2),
        ('[{"u":1,"i":2}]\n[{"u":1,"i":2}]', 1), ("[", 1), ('[{"u":"a', 1),
    ],
)  # fmt: skip
def test_a_broken_array_is_told_where_it_breaks(tmp_path: Path, text: str, line: int) -> None:
    plan = _plan(_file(tmp_path, text), user="u", item="i")
    with pytest.raises(RawFormatError, match="and ] at the end") as caught:
        list(read_json_lines(plan, []))
    assert caught.value.line == line


def test_elements_of_an_array_are_rows(tmp_path: Path) -> None:
    file = _file(tmp_path, '[ {"u":1,"i":2},\n {"u":\n1}, {"u":3,"i":4} ]\n')
    plan = _plan(file, user="u", item="i")
    bad: list[BadLine] = []
    assert _rows(plan, bad) == [("1", "2"), ("3", "4")]
    assert [(one.line, one.word) for one in bad] == [(2, "row")]
    assert locate_json_line(plan, 1, bad) == f"{file.path}, row 3"


def test_an_object_without_an_end_is_not_gathered_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_files, "_MAX_OBJECT_BYTES", 1000)
    monkeypatch.setattr(json_files, "BLOCK_BYTES", 100)
    for text in ('{"u":1,"i":2}\n{"u":"' + "a" * 2000, '[{"u":1,"i":2},{"u":"' + "a" * 2000):
        with pytest.raises(DataError, match=r"(line|row) 2: expected an object") as caught:
            list(read_json_lines(_plan(_file(tmp_path, text), user="u", item="i"), []))
        assert "jq -c" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"), [("", "is empty"), ("\n\n", "is empty"), ("x\ny", "an obj")]
)
def test_files_without_objects_cannot_be_peeked_into(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        peek_json_lines(_file(tmp_path, text))


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    data = gzip.compress(REVIEWS.encode() * 99)
    file = _file(tmp_path, data[:-20], "reviews.json.gz")
    with pytest.raises(DataError, match=r"reviews\.json\.gz cannot be read"):
        list(read_json_lines(_amazon_plan(file)))
