"""Peak memory of a table's ingest does not grow with its rows or its keys, which go to disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.peak_memory import peak_bytes

from bigrec.ingest import builder
from bigrec.ingest.builder import MIN_MEMORY_BYTES
from bigrec.store.catalog import open_catalog

ALLOWED_GROWTH_BYTES = 64 << 20
"""Beside the tables of keys, which are small where there are few, and have a share of the rest."""
KEYS_BYTES = int((MIN_MEMORY_BYTES - builder._BASE_BYTES) * builder._KEYS_SHARE)

INGEST = """
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.resources import Budget
    summary = ingest_ratings(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        budget=Budget(memory_bytes=int(sys.argv[3]), threads=2),
    )
    reported = summary.n_users
"""


def _write(path: Path, n_rows: int) -> Path:
    """A table in which every other row is a new user's."""
    rng = np.random.default_rng(1)
    user = rng.permutation(n_rows) // 2
    frame = pl.DataFrame(
        {"user_id": user, "item_id": np.arange(n_rows) % 5003, "rating": rng.integers(1, 6, n_rows)}
    ).select(
        pl.format("A{}XKEY", pl.col("user_id") + 10_000_000),
        pl.format("B{}", "item_id"),
        "rating",
        time=1_400_000_000 + pl.col("user_id"),
    )
    frame = frame.rename({frame.columns[0]: "user_id", frame.columns[1]: "item_id"})
    frame = frame.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path, row_group_size=1 << 17)
    return path


@pytest.mark.memory
@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_needs_no_more_memory_for_eight_times_the_rows_and_users(
    form: str, tmp_path: Path
) -> None:
    small = _write(tmp_path / f"small.{form}", 600_000)
    large = _write(tmp_path / f"large.{form}", 4_800_000)
    peak_bytes(INGEST, large, tmp_path / "warm", MIN_MEMORY_BYTES)  # compiles all loops
    peaks = []
    for name, raw in (("small", small), ("large", large)):
        peak, n_users = peak_bytes(INGEST, raw, tmp_path / name, MIN_MEMORY_BYTES)
        keys = open_catalog(tmp_path / name).users().select(pl.col("key").n_unique()).collect()
        assert keys.item() == n_users
        peaks.append(peak)
    assert peaks[1] - peaks[0] < ALLOWED_GROWTH_BYTES + KEYS_BYTES
    assert peaks[1] < MIN_MEMORY_BYTES
