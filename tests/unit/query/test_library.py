"""Headers of queries, and the values of their parameters."""

from __future__ import annotations

import datetime as dt

import pytest

from bigrec.errors import QueryError, SettingsError
from bigrec.query.library import as_number, find_query, list_queries, parse_query

TEXT = """-- title: Two lines
-- description: The first line
--     and the second.
-- param: user_id INTEGER  -- the user
-- param: since DATE = 2005-01-01  -- first day
-- param: share DOUBLE = 0.5
-- param: text VARCHAR = a = b  -- anything
-- param: exact BOOLEAN = false
SELECT 1
"""


def test_a_header_is_read() -> None:
    query = parse_query(TEXT, name="two", kind="analysis")
    assert (query.title, query.description) == ("Two lines", "The first line and the second.")
    assert [(p.name, p.type, p.default, p.description) for p in query.parameters] == [
        ("user_id", "INTEGER", None, "the user"),
        ("since", "DATE", "2005-01-01", "first day"),
        ("share", "DOUBLE", "0.5", ""),
        ("text", "VARCHAR", "a = b", "anything"),
        ("exact", "BOOLEAN", "false", ""),
    ]
    assert query.sql == TEXT


def test_values_are_typed_and_defaults_filled_in() -> None:
    bound = parse_query(TEXT).bind({"user_id": "6", "exact": "TRUE"})
    assert bound == {
        "user_id": 6, "since": dt.date(2005, 1, 1), "share": 0.5, "text": "a = b", "exact": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs a value for user_id"),
        ({"user_id": "six"}, "expected INTEGER"),
        ({"user_id": "6", "since": "soon"}, "expected DATE"),
        ({"user_id": "6", "exact": "maybe"}, "expected BOOLEAN"),
        ({"usr_id": "6"}, "unknown parameter"),
    ],
)
def test_a_value_that_does_not_fit(values: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_query(TEXT).bind(values)


def test_a_query_without_header_takes_numbers_and_text() -> None:
    values = parse_query("SELECT $a, $b, $c").bind({"a": "1", "b": "1.5", "c": "x"})
    assert {name: (value, as_number(value)) for name, value in values.items()} == {
        "a": ("1", 1), "b": ("1.5", 1.5), "c": ("x", "x")
    }  # fmt: skip


@pytest.mark.parametrize("line", ["item", "item INTEGR = 1", "INTEGER item = 1"])
def test_a_parameter_line_that_is_not_understood(line: str) -> None:
    with pytest.raises(QueryError, match="parameter line"):
        parse_query(f"-- param: {line}\nSELECT 1")


def test_an_unknown_query_is_told_its_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown query") as caught:
        find_query("user_histry")
    assert "user_history" in caught.value.hint


def test_names_are_unique() -> None:
    names = [query.name for query in list_queries()]
    assert len(names) == len(set(names))
