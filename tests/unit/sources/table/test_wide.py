"""One row a user and one column an item, held against pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bigrec.errors import DataError, RawFormatError
from bigrec.sources.parsed import BadLine
from bigrec.sources.raw import RawFile
from bigrec.sources.table import wide
from bigrec.sources.table.plan import TEXT, TablePlan
from bigrec.sources.table.wide import read_wide


def _plan(*paths: Path) -> TablePlan:
    files = tuple(RawFile(path) for path in paths)
    return TablePlan(TEXT, files, (), {}, None, no_rating=(99.0,))


def _table(plan: TablePlan, bad: list[BadLine] | None = None) -> pd.DataFrame:
    return pa.Table.from_batches(read_wide(plan, bad)).to_pandas()


def test_rows_are_users_and_columns_are_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "_BATCH_RATINGS", 50)
    rng = np.random.default_rng(7)
    values = np.round(rng.uniform(-10, 10, (60, 12)), 2)
    values[rng.random(values.shape) < 0.4] = 99
    frame = pd.DataFrame(values)
    frame.insert(0, "count", (values != 99).sum(axis=1))
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    frame[:40].to_csv(paths[0], header=False, index=False)
    frame[40:].to_csv(paths[1], header=False, index=False, lineterminator="\r\n")

    read = [pd.read_csv(path, header=None).drop(columns=0).stack() for path in paths]
    expected = pd.concat(read, ignore_index=True)
    users, items = np.repeat(np.arange(1, 61), 12), np.tile(np.arange(1, 13), 60)
    kept = (expected != 99).to_numpy()
    found = _table(_plan(*paths))
    assert found["user_id"].to_list() == users[kept].tolist()
    assert found["item_id"].to_list() == items[kept].tolist()
    assert found["rating"].to_list() == expected[kept].to_list()
    assert max(map(len, read_wide(_plan(*paths)))) < 50 + 12


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2,1,99,99", "1 in the first column"),
        ("1,1,99", "then 3 numbers"),
        ("1,1,99,99,99", "then 3 numbers"),
        ("1,1,x,99", "then 3 numbers"),
        ("1,1,,99", "then 3 numbers"),
        ("1,1,nan,99", "then 3 numbers"),
        ("1,1,1e999,99", "then 3 numbers"),
        ("1;1;99;99", "then 3 numbers"),
        ("1,--1,99,99", "then 3 numbers"),
    ],
)
def test_a_row_that_does_not_fit_is_named_or_left_out(
    tmp_path: Path, row: str, expected: str
) -> None:
    path = tmp_path / "jester.csv"
    path.write_text(f"1,5.5,99,99\n{row}\n2,99,-1,0\n")
    with pytest.raises(RawFormatError, match="line 2") as caught:
        _table(_plan(path))
    assert expected in caught.value.expected
    bad: list[BadLine] = []
    found = _table(_plan(path), bad)
    assert found.to_numpy().tolist() == [[1, 1, 5.5], [3, 2, -1], [3, 3, 0]]
    assert [(line.line, line.found) for line in bad] == [(2, row)]


def test_a_row_without_items_is_named(tmp_path: Path) -> None:
    path = tmp_path / "jester.csv"
    path.write_text("0\n")
    with pytest.raises(RawFormatError, match="and then numbers"):
        _table(_plan(path))


def test_a_user_without_ratings_keeps_the_number(tmp_path: Path) -> None:
    path = tmp_path / "jester.csv"
    path.write_text("0,99,99\n1,99,3")
    assert _table(_plan(path)).to_numpy().tolist() == [[2, 2, 3]]


def test_spreadsheets_are_to_be_exported(tmp_path: Path) -> None:
    path = tmp_path / "jester-data-1.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(DataError, match="is a spreadsheet") as caught:
        _table(_plan(path))
    assert "export it as csv" in caught.value.hint


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "jester.csv"
    path.write_text("")
    with pytest.raises(DataError, match="is empty"):
        _table(_plan(path))
