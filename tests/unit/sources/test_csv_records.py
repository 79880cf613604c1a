"""Records of a csv file, held against Python's own reader where the quotes match."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigrec.sources.csv_records import read_records


def _records(text: str) -> list[tuple[int, list[str] | None]]:
    lines = enumerate(text.removesuffix("\n").split("\n"), start=1)
    found = read_records(lines, lambda line: line.partition(",")[0].isdecimal())
    return [(record.line, record.fields) for record in found]


fields = st.lists(st.text(st.sampled_from('ab,"\n ')), min_size=1, max_size=3)


@given(rows=st.lists(fields, min_size=1, max_size=5))
def test_whatever_csv_writes_is_read(rows: list[list[str]]) -> None:
    target = io.StringIO()
    numbered = [[f"{number}", *row] for number, row in enumerate(rows, start=1)]
    csv.writer(target, lineterminator="\n").writerows(numbered)
    assert [fields for _, fields in _records(target.getvalue())] == numbered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('1,"a\n2,b\n3,c', [(1, None), (2, ["2", "b"]), (3, ["3", "c"])]),
        ('1,"a\n2,"b"\n', [(1, None), (2, ["2", "b"])]),
        ('1,"a\nb"\n2,c', [(1, ["1", "a\nb"]), (3, ["2", "c"])]),
        ('1,"a', [(1, None)]),
        ('1,"a"b\n2,c', [(1, None), (2, ["2", "c"])]),
        ("1,a\rb\n2,c", [(1, None), (2, ["2", "c"])]),
        ("1," + "a" * 131_073 + "\n2,c", [(1, None), (2, ["2", "c"])]),
        ('1,"' + "a\n" * 40 + '"', [(1, None), *((n, ["a"]) for n in range(2, 41)), (41, None)]),
        ("\n1,a\n\n", [(1, []), (2, ["1", "a"]), (3, [])]),
        ('1,a "b" c', [(1, ["1", 'a "b" c'])]),
    ],
    ids=range(10),
)
def test_an_open_quote_costs_its_line_and_no_more(
    text: str, expected: list[tuple[int, list[str] | None]]
) -> None:
    assert _records(text) == expected
