"""The road of Arrow batches, held against a plain reading by Polars, and its errors by row."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from bigrec.cli.app import main
from bigrec.errors import DataError, RawFormatError
from bigrec.ingest import builder
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.interactions import Scale
from bigrec.resources import Budget
from bigrec.sources import registry
from bigrec.sources.contract import BatchSource
from bigrec.sources.raw import RawFile, RawFolder
from bigrec.store.catalog import open_catalog

COLUMNS = ("user_id", "item_id", "rating", "date")
DAY = dt.date(2020, 5, 17)


class TableSource(BatchSource):
    """A csv file or Parquet files."""

    name = "table"
    signature = "table.csv or table*.parquet"
    scale = Scale.even(1, 10, 10)
    rows_expected: ClassVar[int | None] = None

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        return folder.has_any("table*")

    @property
    def n_rows(self) -> int | None:
        return self.rows_expected

    def files(self) -> list[list[RawFile]]:
        return [self.folder.glob("table*", looks_inside=False)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        for file in self.files()[0]:
            if file.path.suffix == ".csv":
                with pa.csv.open_csv(file.path) as reader:
                    yield from reader
            else:
                with pq.ParquetFile(file.path) as table:
                    yield from table.iter_batches(batch_size=10_000)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {"table": TableSource})


def write_table(folder: Path, name: str = "table.parquet", **columns: Any) -> Path:
    """A raw folder with one table of good rows, but for the columns given."""
    folder.mkdir(exist_ok=True)
    n = max((len(values) for values in columns.values()), default=4)
    good: dict[str, Any] = {
        "user_id": list(range(1, n + 1)),
        "item_id": [7] * n,
        "rating": [4.0] * n,
        "date": [DAY] * n,
    }
    pq.write_table(pa.table(good | columns), folder / name)
    return folder


def rejected(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))[1:]


@pytest.mark.parametrize("form", ["csv", "parquet", "two files"])
@pytest.mark.parametrize("rows_expected", [None, 1, 60_000, 10_000_000])
def test_rows_in_any_order_are_those_of_a_plain_reading(
    form: str, rows_expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TableSource, "rows_expected", rows_expected)
    rng = np.random.default_rng(5)
    n = 60_000
    pair = rng.choice(2000 * 900, n, replace=False)
    frame = pl.DataFrame(
        {
            "note": pl.Series([None] * n, dtype=pl.String),
            "rating": rng.integers(1, 11, n).astype(np.float64),
            "item_id": (1 + pair % 900).astype(np.uint16),
            "date": pl.from_epoch(pl.Series(rng.integers(0, 20_000 * 86_400, n)), "s"),
            "user_id": (1 + pair // 900).astype(np.int64) * 1_000_003,
        }
    )
    raw = tmp_path / "raw"
    raw.mkdir()
    if form == "csv":
        frame.drop("note").write_csv(raw / "table.csv")
        plain = pl.read_csv(raw / "table.csv", try_parse_dates=True)
    elif form == "parquet":
        frame.write_parquet(raw / "table.parquet")
        plain = pl.read_parquet(raw / "table.parquet")
    else:
        frame[:25_000].write_parquet(raw / "table-1.parquet")
        frame[25_000:].write_parquet(raw / "table-2.parquet")
        plain = pl.read_parquet(raw / "table-*.parquet")
    summary = ingest_ratings(raw, tmp_path / "store", budget=Budget(threads=2))
    expected = plain.select(
        pl.col("item_id").cast(pl.Int32),
        pl.col("user_id").cast(pl.Int32),
        pl.col("rating").cast(pl.Float32),
        pl.col("date").cast(pl.Date),
    )
    catalog = open_catalog(tmp_path / "store")
    assert catalog.ratings().collect().equals(expected.sort("item_id", "user_id"))
    by_user = catalog.ratings_by_user().select(expected.columns).collect()
    assert by_user.equals(expected.sort("user_id", "item_id"))
    assert summary.n_ratings == n
    assert summary.source == "table"
    assert catalog.manifest.mean_rating == pytest.approx(expected["rating"].mean())
    users = catalog.users().collect()
    counts = expected.group_by("user_id").len().sort("user_id")
    assert users["n_ratings"].to_list() == counts["len"].to_list()
    if form == "parquet":
        assert main(["check", "--store", str(tmp_path / "store"), "--deep"]) == 0


NULL_DAY = [DAY, DAY, None, DAY]
BAD_ROWS: dict[str, tuple[str, Any, str, str]] = {
    "no user": ("user_id", [1, 2, None, 4], "user_id=None", "as user_id"),
    "no item": ("item_id", [1, 2, None, 4], "item_id=None", "as item_id"),
    "empty user": ("user_id", ["a", "b", "", "d"], "user_id=,", "1 to 1000 bytes as user_id"),
    "long item": ("item_id", ["a", "b", "é" * 501, "d"], "item_id=éé", "1 to 1000 bytes as"),
    "NUL in a user": ("user_id", ["a", "b", "c\0", "d"], "user_id=c", "as user_id"),
    "rating above": ("rating", [1.0, 10.0, 11.0, 2.0], "rating=11", "one of 1, 2, 3"),
    "rating between": ("rating", [1.0, 10.0, 4.5, 2.0], "rating=4.5", "one of 1, 2, 3"),
    "rating below": ("rating", [1, 10, 0, 2], "rating=0", "one of 1, 2, 3"),
    "no number": ("rating", [1.0, 10.0, float("nan"), 2.0], "rating=nan", "one of 1, 2, 3"),
    "no rating": ("rating", [1.0, 10.0, None, 2.0], "rating=None", "one of 1, 2, 3"),
    "day before": ("date", [DAY, DAY, dt.date(1920, 12, 31), DAY], "1920-12-31", "1921-01-01"),
    "day behind": ("date", [DAY, DAY, dt.date(2100, 1, 1), DAY], "2100-01-01", "2099-12-31"),
    "second before": (
        "date",
        pa.array([1, 1, -1_546_300_801, 1], pa.timestamp("s", "Asia/Tokyo")),
        "1920-12-31 23:59:59",
        "1921-01-01",
    ),
    "no day": ("date", NULL_DAY, "date=None", "1921-01-01"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_a_row_that_cannot_be_stored_is_named_or_left_out(kind: str, tmp_path: Path) -> None:
    column, values, found, expected = BAD_ROWS[kind]
    raw = write_table(tmp_path / "raw", **{column: values})
    with pytest.raises(RawFormatError, match=r"table\.parquet, row 3: found") as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert found in str(caught.value)
    assert expected in caught.value.expected
    assert caught.value.hint.startswith("correct or remove that row")
    assert not (tmp_path / "store").exists()
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects)
    summary = ingest_ratings(raw, tmp_path / "store", options=options)
    assert (summary.n_ratings, summary.n_rejected) == (3, 1)
    [[path, row, text, wanted]] = rejected(rejects)
    assert path.endswith("table.parquet")
    assert (row, wanted) == ("3", caught.value.expected)
    assert found in text


def test_rows_are_numbered_over_batches_and_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[int | None] = list(range(1, 30_001))
    for bad in (12_345, 23_456):
        ids[bad - 1] = None
    raw = write_table(tmp_path / "raw", user_id=ids)
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 32 * 999)
    options = IngestOptions(on_error="skip", rejects=tmp_path / "rejects.csv")
    ingest_ratings(raw, tmp_path / "store", options=options)
    rows = rejected(tmp_path / "rejects.csv")
    assert [row[1] for row in rows] == ["12345", "23456"]


def test_a_pair_that_comes_again_is_named_with_its_first_row(tmp_path: Path) -> None:
    users = [3, 1, None, 2, 1, 3]
    raw = write_table(tmp_path / "raw", user_id=users, rating=[1, 2, 3, 4, 5, 6])
    good = write_table(tmp_path / "good", user_id=[*users[:2], 9, *users[3:]])
    with pytest.raises(RawFormatError, match=r"row 5: .*one rating of item 7 by user 1; row 2 has"):
        ingest_ratings(good, tmp_path / "store")
    options = IngestOptions(on_error="skip", rejects=tmp_path / "rejects.csv")
    summary = ingest_ratings(raw, tmp_path / "store", options=options)
    assert (summary.n_ratings, summary.n_rejected) == (3, 3)
    rows = rejected(tmp_path / "rejects.csv")
    assert sorted(row[1] for row in rows) == ["3", "5", "6"]
    kept = open_catalog(tmp_path / "store").ratings().collect()
    assert dict(zip(kept["user_id"], kept["rating"], strict=True)) == {1: 2.0, 2: 4.0, 3: 1.0}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rating": ["4", "5", "3", "2"]}, "yields rating as string, expected numbers"),
        ({"user_id": [1.0, 2.0, 3.0, 4.0]}, "yields user_id as double, expected integers"),
        ({"date": [1, 2, 3, 4]}, "yields date as int64, expected dates or timestamps"),
    ],
)
def test_columns_of_other_types_are_told(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    raw = write_table(tmp_path / "raw", **columns)
    with pytest.raises(DataError, match=message):
        ingest_ratings(raw, tmp_path / "store")


def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    raw = write_table(tmp_path / "raw")
    path = raw / "table.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["date"]), path)
    with pytest.raises(DataError, match="no column date, but user_id, item_id, rating"):
        ingest_ratings(raw, tmp_path / "store")


def test_a_damaged_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    raw = write_table(tmp_path / "raw")
    path = raw / "table.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"table\.parquet cannot be read"):
        ingest_ratings(raw, tmp_path / "store")
    (raw / "table.parquet").unlink()
    (raw / "table.csv").write_text("user_id,item_id,rating,date\n1,2,3\n")
    with pytest.raises(DataError, match=r"table\.csv cannot be read"):
        ingest_ratings(raw, tmp_path / "store")


def test_no_rows_are_no_ratings(tmp_path: Path) -> None:
    raw = write_table(tmp_path / "raw")
    path = raw / "table.parquet"
    pq.write_table(pq.read_table(path)[:0], path)
    with pytest.raises(DataError, match="holds no ratings"):
        ingest_ratings(raw, tmp_path / "store")


def test_days_of_every_type_are_days_in_utc(tmp_path: Path) -> None:
    moment = dt.datetime(2001, 2, 3, 22, 30, tzinfo=dt.UTC)
    kinds = [pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")]
    kinds += [pa.timestamp("us", "Asia/Tokyo"), pa.date32(), pa.date64()]
    for number, kind in enumerate(kinds):
        column = pa.array([moment] * 4, pa.timestamp("us", "UTC"))
        column = pc.cast(column, kind, safe=False)
        raw = write_table(tmp_path / f"raw-{number}", date=column)
        ingest_ratings(raw, tmp_path / f"store-{number}")
        days = open_catalog(tmp_path / f"store-{number}").ratings().collect()["date"]
        assert days.unique().to_list() == [dt.date(2001, 2, 3)], kind


def test_rows_of_several_files_are_numbered_over_all_of_them(tmp_path: Path) -> None:
    raw = write_table(tmp_path / "raw", "table-1.parquet")
    write_table(raw, "table-2.parquet", user_id=[11, 12, 13, None])
    with pytest.raises(RawFormatError, match=r"raw, row 8: found 'user_id=None"):
        ingest_ratings(raw, tmp_path / "store")


def test_a_table_that_a_store_has_no_room_for_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TableSource, "tables", lambda *_: {"wishes": iter(())})
    with pytest.raises(DataError, match="source table has a table 'wishes'"):
        ingest_ratings(write_table(tmp_path / "raw"), tmp_path / "store")
