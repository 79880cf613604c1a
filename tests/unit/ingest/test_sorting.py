"""The bucket sort, held against numpy's lexsort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bigrec.errors import DataError
from bigrec.ingest.sorting import Spill, plan_buckets, sort_records
from bigrec.schema import MAX_ID
from bigrec.sources.netflix_kernels import sort_within_items
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]


def _random_rows(n: int, highest: int, seed: int = 0) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    primary, secondary = (rng.integers(1, highest, n).astype(np.int32) for _ in range(2))
    return primary, secondary, np.arange(n, dtype=np.int32)


def _bucket_sort(
    rows: tuple[Array, Array, Array], sample: Array, folder: Path, max_rows: int
) -> list[Array]:
    """Sort through a spill file, added in five units in a mixed order."""
    workspace = Workspace()
    spill = Spill(folder / "spill", plan_buckets(sample, len(rows[0]), max_rows))
    edges = np.linspace(0, len(rows[0]), 6).astype(int)
    for unit in (3, 0, 4, 1, 2):
        part = slice(edges[unit], edges[unit + 1])
        primary, secondary, payload = rows
        spill.add(unit, primary[part], secondary[part], payload[part], None, workspace)
    assert spill.n_rows == len(rows[0])
    parts = [
        sort_records(bucket.read(workspace), workspace, secondary_sorted=False).copy()
        for bucket in spill.buckets(2 * max_rows, workspace)
    ]
    spill.close()
    assert not list(folder.iterdir())
    return parts


@pytest.mark.parametrize("highest", [3, 500, MAX_ID])
def test_it_sorts_stably_by_both_ids(highest: int, tmp_path: Path) -> None:
    rows = _random_rows(20_000, highest)
    parts = _bucket_sort(rows, rows[0][::50], tmp_path, 1500)
    order = np.lexsort((rows[1], rows[0]))
    assert (np.concatenate(parts) == np.stack(rows, axis=1)[order]).all()


@pytest.mark.parametrize("highest", [3, 500, 1 << 22, 5_000_000, 1 << 26, MAX_ID])
def test_ratings_of_an_item_are_sorted_stably_by_user(highest: int) -> None:
    starts = np.cumsum([0, 1, 20, 32, 33, 5000, 0, 40_000])
    _, user_id, payload = _random_rows(int(starts[-1]), highest)
    keys = user_id.astype(np.uint64) << np.uint64(32) | payload[::-1].astype(np.uint64)
    item = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    expected = keys[np.lexsort((user_id, item))]
    scratch = np.empty(np.diff(starts).max(), np.uint64)
    sort_within_items(keys, starts, len(starts) - 1, scratch)
    np.testing.assert_array_equal(keys, expected)


def test_a_misleading_sample_costs_no_memory(tmp_path: Path) -> None:
    rows = _random_rows(20_000, 100_000)
    parts = _bucket_sort(rows, np.array([1, 2], np.int32), tmp_path, 1500)
    assert max(len(part) for part in parts) <= 3000
    order = np.lexsort((rows[1], rows[0]))
    assert (np.concatenate(parts) == np.stack(rows, axis=1)[order]).all()


def test_a_single_id_with_too_many_rows_comes_whole(tmp_path: Path) -> None:
    _, secondary, payload = _random_rows(5000, 100)
    rows = (np.full(5000, 42, np.int32), secondary, payload)
    (part,) = _bucket_sort(rows, rows[0][:10], tmp_path, 500)
    assert len(part) == 5000


def test_only_the_primary_id_is_sorted_where_the_other_is_already(tmp_path: Path) -> None:
    workspace = Workspace()
    records = np.array([[9, 1, 0], [2, 1, 1], [9, 2, 2], [2, 3, 3]], np.int32)
    result = sort_records(records, workspace, secondary_sorted=True)
    assert result[:, 2].tolist() == [1, 3, 0, 2]


def test_a_spill_file_that_lost_rows_is_an_error(tmp_path: Path) -> None:
    rows = _random_rows(1000, 50)
    workspace = Workspace()
    spill = Spill(tmp_path / "spill", plan_buckets(rows[0], 1000, 1000))
    spill.add(0, *rows, None, workspace)
    (tmp_path / "spill").write_bytes(b"")
    with pytest.raises(DataError, match="ended early"):
        next(spill.buckets(2000, workspace)).read(workspace)
    spill.close()
