"""The formats say the same, and a table says what it leaves out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bigrec.errors import QueryError
from bigrec.query.arrow_output import write_arrow
from bigrec.query.endings import ARROW_FORMATS, FORMATS
from bigrec.query.output import TABLE_ROWS, format_table, write_text
from bigrec.query.session import QueryResult, Session, open_session
from bigrec.resources import Budget

KINDS = """
    SELECT 1 AS whole, 2.5 AS exact, 0.1::DOUBLE AS broken, 3.5::FLOAT AS stars,
        DATE '2005-12-31' AS day, 'a "b", c' AS text, true AS flag, NULL AS nothing
"""
MANY = "SELECT item_id, user_id, rating, date FROM ratings ORDER BY item_id, user_id"


@pytest.fixture(scope="module")
def session(store_small: Path) -> Iterator[Session]:
    with open_session(store_small, budget=Budget(threads=2)) as opened:
        yield opened


class Pipe(io.RawIOBase):
    """A stream that can only be written to, as a pipe."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        raise OSError("a pipe has no position")

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def written(result: QueryResult, name: str, limit: int | None = None) -> bytes:
    stream = Pipe()
    write = write_arrow if name in ARROW_FORMATS else write_text
    write(result, name, stream, limit=limit)  # type: ignore[arg-type]
    return stream.data


def rows_written(result: QueryResult, name: str, limit: int | None = None) -> list[dict[str, Any]]:
    """What a reader of the format finds, with days and decimals as text and numbers."""
    data = written(result, name, limit)
    if name in ("csv", "tsv"):
        separator = "," if name == "csv" else "\t"
        text = io.StringIO(data.decode())
        rows: list[dict[str, Any]] = list(csv.DictReader(text, delimiter=separator))
    elif name == "json":
        rows = json.loads(data)
    elif name == "ndjson":
        rows = [json.loads(line) for line in data.splitlines()]
    elif name == "parquet":
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    else:
        rows = pa.ipc.open_stream(data).read_all().to_pylist()
    return [{key: _as_text(value) for key, value in row.items()} for row in rows]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


@pytest.mark.parametrize("query", [KINDS, MANY])
def test_all_formats_agree(session: Session, query: str) -> None:
    result = session.run(query)
    expected = rows_written(result, "csv")
    assert len(expected) == result.count()
    for name in FORMATS[2:]:
        assert rows_written(result, name) == expected, name


@pytest.mark.parametrize("name", FORMATS[1:])
def test_a_limit_holds_in_every_format(session: Session, name: str) -> None:
    result = session.run(MANY)
    assert rows_written(result, name, 5) == rows_written(result, name)[:5]
    assert rows_written(result, name, 0) == []


@pytest.mark.parametrize("name", FORMATS[1:])
def test_an_empty_result_is_valid(session: Session, name: str) -> None:
    assert rows_written(session.run("SELECT * FROM ratings WHERE false"), name) == []


@pytest.mark.parametrize("name", FORMATS[3:])
def test_two_columns_of_one_name_are_refused(session: Session, name: str) -> None:
    with pytest.raises(QueryError, match="two columns are called 'a'"):
        written(session.run("SELECT 1 AS a, 2 AS a"), name)


def test_types_survive_in_parquet(session: Session) -> None:
    schema = pq.read_schema(io.BytesIO(written(session.run(MANY), "parquet")))
    assert schema.types == [pa.int32(), pa.int32(), pa.float32(), pa.date32()]


def test_json_has_no_nan(session: Session) -> None:
    query = "SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b, ['-inf'::DOUBLE, 1] AS c"
    rows = json.loads(written(session.run(query), "json"), parse_constant=pytest.fail)
    assert rows == [{"a": None, "b": None, "c": [None, 1.0]}]


def test_a_table_of_known_rows() -> None:
    day = dt.date(2005, 12, 31)
    rows = [(1, 3.0, "Été", day, None), (1_488_844, 0.123456, "two\nlines", day, True)]
    assert format_table(("user_id", "mean", "title", "day", "flag"), rows) == (
        "user_id    mean  title  day         flag\n"
        "-------  ------  -----  ----------  ----\n"
        "      1     3.0  Été    2005-12-31  NULL\n"
        "1488844  0.1235  two    2005-12-31  true\n"
        "                 lines\n"
    )


def test_a_row_is_a_line_and_moves_no_cursor_where_that_is_asked_for() -> None:
    rows = [("two\nlines\tand \x1b[31mred\r",), ("\u202eright to left",)]
    text = format_table(("a\nb",), rows, one_line=True)
    assert text.splitlines()[0] == "a\\nb"
    assert text.splitlines()[2:] == [
        "two\\nlines\\tand \\x1b[31mred\\r", "\\u202eright to left"
    ]  # fmt: skip
    assert format_table(("a",), rows).splitlines()[2:4] == ["two", "lines\\tand \\x1b[31mred\\r"]


def test_small_and_odd_numbers_in_a_table_are_not_rounded_away() -> None:
    text = format_table(("a",), [(1e-7,), (-1e-7,), (0.0,), (math.nan,), (360489733.0,)])
    assert text.split() == ["a", "-----------", "1e-07", "-1e-07", "0.0", "nan", "360489733.0"]


@pytest.mark.parametrize(
    ("n_rows", "limit", "last_line"),
    [
        (1, None, "(1 row)"),
        (0, None, "(0 rows)"),
        (TABLE_ROWS, None, "(40 rows)"),
        (TABLE_ROWS + 1, None, "(41 rows, 1 of them left out; --limit shows more)"),
        (123_456, None, "(123,456 rows, 123,416 of them left out; --limit shows more)"),
        (5, 2, "(5 rows, 3 of them left out; --limit shows more)"),
        (5, 5, "(5 rows)"),
        (9, 0, "(9 rows, none shown)"),
    ],
)
def test_a_table_says_how_many_rows_it_leaves_out(
    session: Session, n_rows: int, limit: int | None, last_line: str
) -> None:
    text = written(session.run(f"SELECT * FROM range({n_rows})"), "table", limit).decode()
    lines = text.splitlines()
    assert lines[-1] == last_line
    assert len(lines) - 3 == min(n_rows, TABLE_ROWS if limit is None else limit)
