"""Statistics of users, held against Polars."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from bigrec.ingest import users
from bigrec.ingest.users import UserTable
from bigrec.schema import MAX_ID

VALUES = np.arange(1.0, 11)


@pytest.mark.parametrize("step", [1, 1024, 10_007])
def test_counts_sums_and_days_of_many_users(step: int) -> None:
    rng = np.random.default_rng(step)
    ids = np.minimum(1 + np.arange(100_000, dtype=np.int64) * step, MAX_ID)
    user = rng.choice(ids, 300_000).astype(np.int32)
    day, half_stars = rng.integers(1, 40_000, len(user)), rng.integers(1, 11, len(user))
    payload = (day << 16 | (half_stars - 1)).astype(np.int32)
    table = UserTable(VALUES)
    for part in range(0, len(user), 70_000):
        rows = slice(part, part + 70_000)
        table.add(user[rows], payload[rows])
    stats = table.stats()
    expected = (
        pl.DataFrame({"user": user, "day": day, "half_stars": half_stars})
        .group_by("user")
        .agg(
            pl.len().alias("count"),
            pl.col("half_stars").sum(),
            pl.col("day").min().alias("first"),
            pl.col("day").max().alias("last"),
        )
        .sort("user")
    )
    assert stats.ids.tolist() == expected["user"].to_list()
    assert stats.counts.tolist() == expected["count"].to_list()
    assert stats.sums.tolist() == expected["half_stars"].to_list()
    assert stats.first_days.tolist() == expected["first"].to_list()
    assert stats.last_days.tolist() == expected["last"].to_list()


def test_rows_are_refused_while_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    user, payload = np.array([3, 5, 3], np.int32), np.array([9 << 16 | 7] * 3, np.int32)
    table, add_rows = UserTable(VALUES), users._add_rows
    inner: list[bool] = []

    def count(*arguments: Any) -> Any:
        inner.append(table.try_add(user, payload))
        return add_rows(*arguments)

    monkeypatch.setattr(users, "_add_rows", count)
    assert table.try_add(user, payload)
    assert inner == [False]
    assert table.stats().counts.tolist() == [2, 1]
