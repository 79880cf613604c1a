"""Every type of the engine in every form: a right value or a clear error, never a crash."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bigrec.errors import QueryError
from bigrec.query.arrow_output import write_arrow
from bigrec.query.output import write_text
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget

VALUES = {
    "INTERVAL 14 MONTH": "1 year 2 months",
    "INTERVAL 1 YEAR": "1 year",
    "age(DATE '2006-07-29', DATE '2000-07-11')": "6 years 18 days",
    "DATE '2001-02-03'": "2001-02-03",
    "DATE '200000-01-01'": "200000-01-01",
    "DATE '0044-03-15 (BC)'": "0044-03-15 (BC)",
    "DATE 'infinity'": "infinity",
    "TIMESTAMP '2001-02-03 04:05:06.789'": "2001-02-03 04:05:06.789",
    "TIMESTAMP '200000-01-01 00:00:00'": "200000-01-01 00:00:00",
    "TIMESTAMP '-infinity'": "-infinity",
    "TIMESTAMP_S '2001-02-03 04:05:06'": "2001-02-03 04:05:06",
    "TIMESTAMP_NS '2001-02-03 04:05:06.123456789'": "2001-02-03 04:05:06.123456789",
    "TIMESTAMPTZ '2001-02-03 04:05:06+02'": "2001-02-03 02:05:06+00",
    "to_timestamp(0)": "1970-01-01 00:00:00+00",
    "TIME '04:05:06'": "04:05:06",
    "TIME '24:00:00'": "24:00:00",
    "TIMETZ '04:05:06+02'": "04:05:06+02",
    "TIME_NS '04:05:06.123456789'": "04:05:06.123456789",
    "UUID '00000000-0000-0000-0000-000000000001'": "00000000-0000-0000-0000-000000000001",
    r"'\xAA\x00b'::BLOB": r"\xAA\x00b",
    "'0101'::BIT": "0101",
    "170141183460469231731687303715884105727::HUGEINT": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::UHUGEINT": "340282366920938463463374607431768211455",
    "18446744073709551615::UBIGINT": "18446744073709551615",
    "(-9223372036854775808)::BIGINT": "-9223372036854775808",
    "1.50::DECIMAL(38,2)": "1.50",
    "0.1::DOUBLE": "0.1",
    "0.1::FLOAT": "0.1",
    "[0.1::FLOAT, NULL]": "[0.1, null]",
    "{'a': 0.7::FLOAT}": '{"a": 0.7}',
    "'a'::ENUM('a', 'b')": "a",
    "'123456789012345678901234567890123456789012345'::BIGNUM":
        "123456789012345678901234567890123456789012345",
    "true": "true",
    "'Amélie, \"quoted\"'": 'Amélie, "quoted"',
    "[1, 2]": "[1, 2]",
    "[1, 2]::INTEGER[2]": "[1, 2]",
    "[DATE '2001-01-01', NULL]": '["2001-01-01", null]',
    "[INTERVAL 1 YEAR]": '["1 year"]',
    "{'a': 1, 'b': [DATE '2001-01-01']}": '{"a": 1, "b": ["2001-01-01"]}',
    "{'INTERVAL': INTERVAL 1 DAY}": '{"INTERVAL": "1 day"}',
    "MAP {1: 'x'}": '{"1": "x"}',
    "MAP {DATE '2001-01-01': 1}": '{"2001-01-01": 1}',
    "MAP {1.5: 1}": '{"1.5": 1}',
    "MAP {[1, 2]: 1}": '{"[1, 2]": 1}',
    "histogram(DATE '2001-01-01')": '{"2001-01-01": 1}',
    "[to_timestamp(0)]": '["1970-01-01 00:00:00+00"]',
    "union_value(k := 1)": '{"k": 1}',
    "'INTERVAL'::ENUM('BIT', 'INTERVAL', 'a]')": "INTERVAL",
    "{'UNION(': INTERVAL 1 DAY}": '{"UNION(": "1 day"}',
    "{'u': union_value(k := INTERVAL 1 YEAR)}": '{"u": {"k": "1 year"}}',
    "{'BIGNUM': 1, 'TIME_NS': [INTERVAL 1 DAY], 'HUGEINT': 2}":
        '{"BIGNUM": 1, "TIME_NS": ["1 day"], "HUGEINT": 2}',
    "MAP {}": "{}",
    "row(1, INTERVAL 1 DAY)": "(1, 1 day)",
    "[TIME '24:00:00']": '["24:00:00"]',
    "['\\xAA'::BLOB]": '["\\\\xAA"]',
    "['[1, 2]'::JSON]": "[[1, 2]]",
    "NULL": "",
    "[]": "[]",
}  # fmt: skip


@pytest.fixture(scope="module")
def session(store_small: Path) -> Iterator[Session]:
    with open_session(store_small, budget=Budget(threads=2)) as opened:
        yield opened


@pytest.mark.parametrize("value", VALUES)
def test_a_value_in_every_form(session: Session, value: str) -> None:
    expected = VALUES[value]
    result = session.run(f'SELECT {value} AS "an odd ""name""", 1 AS n')

    def text(form: str) -> str:
        stream = io.BytesIO()
        write_text(result, form, stream)
        return stream.getvalue().decode()

    for form, separator in (("csv", ","), ("tsv", "\t")):
        ((heading, _), (found, _)) = csv.reader(io.StringIO(text(form)), delimiter=separator)
        assert (heading, found) == ('an odd "name"', expected)
    (row,) = json.loads(text("json"))
    (line,) = map(json.loads, text("ndjson").splitlines())
    assert row == line
    as_json = row['an odd "name"']
    if isinstance(as_json, str):
        assert as_json == expected
    elif isinstance(as_json, int | list | dict) and not isinstance(as_json, bool):
        assert as_json == json.loads(expected)
    shown = text("table").splitlines()[2].removesuffix("1").strip()
    assert shown == (expected or "NULL") or float(shown) == float(expected)


@pytest.mark.parametrize("value", VALUES)
def test_parquet_and_arrow_hold_it_or_say_why_not(session: Session, value: str) -> None:
    result = session.run(f"SELECT {value} AS x")
    for form in ("parquet", "arrow"):
        stream = io.BytesIO()
        if value.endswith("HUGEINT"):  # of 39 digits, which no column of theirs holds
            with pytest.raises(Exception, match=r"Could not cast|out of range|convert"):
                write_arrow(result, form, stream)
            continue
        write_arrow(result, form, stream)
        stream.seek(0)
        table = (
            pq.read_table(stream) if form == "parquet" else pa.ipc.open_stream(stream).read_all()
        )
        assert table.num_rows == 1
        if value == "INTERVAL 1 YEAR":
            assert table["x"].to_pylist() == ["1 year"]


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("12345678901234567890123456789012345.67::DECIMAL(38,2)",) * 2,
        ("0.12345678901234567890::DECIMAL(30,20)",) * 2,
        ("170141183460469231731687303715884105727::HUGEINT",) * 2,
        (f"'{'9' * 5000}'::BIGNUM", "9" * 5000),
        ("0.1::DOUBLE", "0.1"),
        ("1.50::DECIMAL(3,2)", "1.50"),
    ],
)
def test_numbers_keep_their_digits_wherever_they_stand(
    session: Session, value: str, digits: str
) -> None:
    digits = digits.partition("::")[0]
    for form in ("csv", "json", "ndjson", "table"):
        for query in (f"[{value}]", f"{{'a': {value}}}", value):
            stream = io.BytesIO()
            write_text(session.run(f"SELECT {query} AS x"), form, stream)
            found = stream.getvalue().decode()
            assert digits in found or (digits == "1.50" and "1.5" in found)
            if form == "ndjson" and "BIGNUM" not in value:
                json.loads(found)


PYTHON_VALUES = {
    "INTERVAL 1 YEAR": "1 year",
    "[INTERVAL 1 MONTH]": ["1 month"],
    "TIMESTAMPTZ '2001-02-03 04:05:06+02'": "2001-02-03 02:05:06+00",
    "TIMESTAMP_NS '2001-02-03 04:05:06.123456789'": "2001-02-03 04:05:06.123456789",
    "TIME_NS '04:05:06.123456789'": "04:05:06.123456789",
    "DATE '2001-02-03'": dt.date(2001, 2, 3),
    "1.50::DECIMAL(3,2)": Decimal("1.50"),
    "union_value(k := 1)": 1,
    "{'a': 1}": {"a": 1},
    "{'BIGNUM': 1, 'TIME_NS': INTERVAL 1 DAY}": {"BIGNUM": 1, "TIME_NS": "1 day"},
}


@pytest.mark.parametrize("value", PYTHON_VALUES)
def test_python_gets_a_value_of_its_own_or_text(session: Session, value: str) -> None:
    assert session.run(f"SELECT {value} AS x").fetchall() == [(PYTHON_VALUES[value],)]


@pytest.mark.parametrize(
    "value", [value for value in VALUES if "::UHUGE" not in value and "::HUGE" not in value]
)
def test_polars_gets_every_type(session: Session, value: str) -> None:
    frame = session.run(f"SELECT {value} AS x").pl()
    assert frame.shape == (1, 1)
    if "INTERVAL" in value and "ENUM" not in value:
        assert "year" in str(frame["x"].to_list()) or "day" in str(frame["x"].to_list())


def test_a_form_that_lacks_a_type_says_so(session: Session) -> None:
    with pytest.raises(QueryError, match="parquet cannot hold"):
        write_arrow(session.run("SELECT {} AS x"), "parquet", io.BytesIO())


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_a_line_end_of_any_kind_stays_in_its_field(session: Session, form: str) -> None:
    stream = io.BytesIO()
    texts = ["a\rb", "a\nb", "a\r\nb", "\r", 'a"\r', "a\tb", "a,b"]
    query = " UNION ALL ".join(
        f"SELECT {' || '.join(f'chr({ord(c)})' for c in text)} AS x, {n} AS n"
        for n, text in enumerate(texts)
    )
    write_text(session.run(f"FROM ({query}) ORDER BY n"), form, stream)
    separator = "," if form == "csv" else "\t"
    rows = list(
        csv.reader(io.StringIO(stream.getvalue().decode(), newline=""), delimiter=separator)
    )
    assert [row[0] for row in rows[1:]] == texts
    assert b'"a\rb"' in stream.getvalue()


def test_null_and_empty_text_differ_in_csv(session: Session, tmp_path: Path) -> None:
    for columns in ("x", "x, 1 AS n"):
        query = f"SELECT {columns} FROM (VALUES (''), (NULL), ('NULL'), ('a')) AS t(x)"
        with (tmp_path / "r.csv").open("wb") as stream:
            write_text(session.run(query), "csv", stream)
        options = (
            "all_varchar = true, header = true, null_padding = true, allow_quoted_nulls = false"
        )
        if "," in columns:  # a line of nothing is a row to no reader
            found = duckdb.sql(f"SELECT x FROM read_csv('{tmp_path / 'r.csv'}', {options})")
            assert found is not None
            assert found.fetchall() == [("",), (None,), ("NULL",), ("a",)]
        assert (tmp_path / "r.csv").read_text().splitlines()[1:3] in (['""', ""], ['"",1', ",1"])


@pytest.mark.parametrize(
    ("query", "value", "n_rows"),
    [
        ("SELECT * FROM (SELECT '1984' AS title) WHERE title = $p", "1984", 1),
        ("SELECT * FROM (SELECT '007' AS key) WHERE key = $p", "007", 1),
        ("SELECT * FROM (SELECT '7' AS key) WHERE key = $p", "007", 0),
        ("SELECT * FROM (SELECT 'a' AS title) WHERE title = $p", "1984", 0),
        ("SELECT * FROM range(10) WHERE range < $p", "5", 5),
        ("SELECT * FROM range(10) WHERE range < $p + 1", "5", 6),
        ("SELECT * FROM range(10) LIMIT $p", "3", 3),
        ("SELECT * FROM ratings WHERE date >= $p LIMIT 1", "1999-01-01", 1),
        ("SELECT 1 WHERE $p::DOUBLE > 1.4", "1.5", 1),
    ],
)
def test_the_query_decides_what_an_untyped_parameter_is(
    session: Session, query: str, value: str, n_rows: int
) -> None:
    from bigrec.query.library import parse_query

    bound = parse_query(query).bind({"p": value})
    assert session.run(query, bound).count() == n_rows


def test_each_untyped_parameter_is_decided_for_itself(session: Session) -> None:
    from bigrec.query.library import parse_query

    query = "SELECT * FROM range(10) t(n), (SELECT '1984' AS title) WHERE title = $t AND n < $n + 1"
    bound = parse_query(query).bind({"t": "1984", "n": "5"})
    assert session.run(query, bound).count() == 6
