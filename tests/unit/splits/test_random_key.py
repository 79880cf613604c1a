"""The integer formula: the same bits in every engine, uniform, independent between seeds."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bigrec.schema import MAX_ID
from bigrec.splits.kernels import compiled_key
from bigrec.splits.random_key import PRIME, random_key, threshold

ids = st.integers(1, MAX_ID)


@given(user=ids, item=ids, seed=st.integers(0, PRIME // 2 - 1))
def test_fixed_width_integers_never_overflow(user: int, item: int, seed: int) -> None:
    exact = random_key(user, item, seed)  # Python's integers have no width
    fixed: Any = random_key(np.array([user], np.int64), np.array([item], np.int64), seed)
    assert 0 <= exact < PRIME
    assert fixed[0] == exact


def test_all_engines_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(1, MAX_ID, (2, 5000))
    expected: Any = random_key(users, items, 42)
    frame = pl.DataFrame({"user_id": users, "item_id": items})
    polars_key: Any = random_key(pl.col("user_id"), pl.col("item_id"), 42)
    np.testing.assert_array_equal(frame.select(polars_key).to_series(), expected)
    columns = (
        duckdb.ColumnExpression("user_id").cast("BIGINT"),
        duckdb.ColumnExpression("item_id").cast("BIGINT"),
    )
    sql = str(random_key(*columns, 42))
    connection = duckdb.connect()
    connection.register("pairs", frame.to_arrow())
    rows = connection.execute(f"SELECT {sql} FROM pairs").fetchnumpy()
    np.testing.assert_array_equal(next(iter(rows.values())), expected)
    assert [compiled_key(u, m, 42) for u, m in zip(users[:50], items[:50], strict=True)] == list(
        expected[:50]
    )


def grid(seed: int) -> np.ndarray[Any, Any]:
    users = np.repeat(np.arange(1, 1001), 1000)
    items = np.tile(np.arange(1, 1001), 1000)
    keys: Any = random_key(users, items, seed)
    return np.asarray(keys)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_keys_are_uniform_overall(seed: int) -> None:
    counts = np.bincount(grid(seed) * 500 // PRIME, minlength=500)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("axis", [0, 1], ids=["per item", "per user"])
def test_test_rows_are_binomial_within_every_user_and_item(axis: int) -> None:
    is_test = (grid(0) < threshold(0.2)).reshape(1000, 1000)
    counts = is_test.sum(axis=axis)
    variance = counts.var() / (1000 * 0.2 * 0.8)
    assert 0.87 < variance < 1.13  # chi-square of 999 degrees, four deviations
    assert abs(counts.mean() - 200) < 2


def test_seeds_are_independent() -> None:
    one, two = grid(0) < threshold(0.2), grid(1) < threshold(0.2)
    both = (one & two).mean()
    assert abs(both - 0.04) < 0.001  # five deviations
