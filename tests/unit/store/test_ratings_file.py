"""Our Parquet files, as read by pyarrow, Polars and DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from bigrec.interactions import Scale
from bigrec.schema import EPOCH_DAY, FIRST_DATE, LAST_DATE, MAX_ID
from bigrec.store import ratings_file
from bigrec.store.ratings_file import RatingsWriter

Array = np.ndarray[Any, Any]
LAST_DAY = (LAST_DATE - FIRST_DATE).days
HALF_STARS = Scale.even(0.5, 5, 10)


def _write(path: Path, item: Array, user: Array, payload: Array, *, by_user: bool = False) -> None:
    columns = (np.asarray(column, np.int32) for column in (item, user, payload))
    RatingsWriter(HALF_STARS).write(path, *columns, by_user=by_user)


def _sorted_rows(n: int, seed: int = 0) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    item = np.sort(rng.integers(1, 40, n))
    user = rng.integers(1, 2_649_430, n)
    user = user[np.lexsort((user, item))]
    payload = rng.integers(10_000, 14_000, n) << 16 | rng.integers(0, 10, n)
    return item, user, payload


EDGES = {
    "one row": ([5], [9], [11_000 << 16 | 5]),
    "one block and one row": (range(1, 130), range(2, 131), [12_000 << 16 | 9] * 129),
    "equal rows but for ids": ([1] * 300, range(1, 301), [11_000 << 16 | 1] * 300),
    "largest ids": ([1, MAX_ID, MAX_ID], [MAX_ID, 1, MAX_ID], [1, 2, 3]),
    "first and last day": ([1, 1], [1, 2], [1, LAST_DAY << 16 | 9]),
    "swings of full width": ([1, MAX_ID] * 70, [MAX_ID, 1] * 70, [1 << 16] * 140),
}


@pytest.mark.parametrize("rows", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("by_user", [False, True])
def test_three_engines_read_back_what_was_written(
    rows: tuple[Any, Any, Any], by_user: bool, tmp_path: Path
) -> None:
    item, user, payload = (np.array(list(column)) for column in rows)
    path = tmp_path / "part.parquet"
    _write(path, item, user, payload, by_user=by_user)
    expected = pl.DataFrame(
        {
            "item_id": pl.Series(item, dtype=pl.Int32),
            "user_id": pl.Series(user, dtype=pl.Int32),
            "rating": pl.Series(((payload & 65535) + 1) / 2, dtype=pl.Float32),
            "date": pl.Series((payload >> 16) - EPOCH_DAY, dtype=pl.Int32).cast(pl.Date),
        }
    )
    assert pl.read_parquet(path).equals(expected)
    arrow = pl.from_arrow(pq.read_table(path))
    assert isinstance(arrow, pl.DataFrame)
    assert arrow.equals(expected)
    assert duckdb.read_parquet(str(path)).pl().equals(expected)


def test_many_row_groups_of_random_rows_round_trip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratings_file, "ROW_GROUP_ROWS", 1000)
    item, user, payload = _sorted_rows(12_345)
    path = tmp_path / "part.parquet"
    _write(path, item, user, payload)
    table = pq.read_table(path)
    assert pq.read_metadata(path).num_row_groups == 13
    assert (table["item_id"].to_numpy() == item).all()
    assert (table["user_id"].to_numpy() == user).all()
    assert (table["rating"].to_numpy() * 2 - 1 == payload & 65535).all()
    assert (table["date"].cast("int32").to_numpy() == (payload >> 16) - EPOCH_DAY).all()


def test_statistics_let_engines_skip_row_groups(tmp_path: Path) -> None:
    item, user, payload = _sorted_rows(5000)
    path = tmp_path / "part.parquet"
    _write(path, item, user, payload)
    group = pq.read_metadata(path).row_group(0)
    for column, values in enumerate((item, user, ((payload & 65535) + 1) / 2)):
        statistics = group.column(column).statistics
        assert (statistics.min, statistics.max) == (values.min(), values.max())
        assert statistics.null_count == 0
    assert [key.column_index for key in group.sorting_columns] == [0, 1]
    assert pl.scan_parquet(path).filter(pl.col("user_id") == user[77]).collect().height == 1


def test_pyarrow_agrees_with_the_sizes_in_the_footer(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    _write(path, *_sorted_rows(5000), by_user=True)
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(column) for column in range(4)]
    assert group.total_byte_size == sum(column.total_uncompressed_size for column in columns)
    footer = int.from_bytes(path.read_bytes()[-8:-4], "little")
    stored = sum(column.total_compressed_size for column in columns)
    assert path.stat().st_size == 4 + stored + footer + 8
    assert not pq.ParquetFile(path).schema_arrow.field("rating").nullable
