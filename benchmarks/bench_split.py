"""A filtered, shuffled 80/20 split of a store: bigrec beside a good Polars and DuckDB script.

Every way keeps the items and users with more ratings than the notebook-large filter asks for. The
peers write a shuffled train file and a test file as Parquet, reading the store's own Parquet;
bigrec creates the split (counts included) and materializes it (dense indices, rows by user,
shuffled shards, digests, fsync). Each is a process of its own; wall, CPU and peak memory are the
system's. Run `python benchmarks/bench_split.py STORE [--rounds N]`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from processes import Cost, print_costs, run_process

MIN_ITEM, MIN_USER = 10_000, 230
TEST_FRACTION: Final = 0.2
_NAME = "bench-split"

POLARS = """
import sys, polars as pl
store, out, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
items = pl.scan_parquet(f"{store}/items.parquet").filter(pl.col("n_ratings") > MIN_ITEM)
users = pl.scan_parquet(f"{store}/users.parquet").filter(pl.col("n_ratings") > MIN_USER)
rows = (
    pl.scan_parquet(f"{store}/ratings/*.parquet", glob=True)
    .select("user_id", "item_id", "rating")
    .join(items.select("item_id"), on="item_id", how="semi")
    .join(users.select("user_id"), on="user_id", how="semi")
    .collect(engine="streaming")
    .sample(fraction=1.0, shuffle=True, seed=seed)
)
n_test = round(len(rows) * TEST_FRACTION)
rows.head(n_test).write_parquet(f"{out}/test.parquet")
rows.tail(-n_test).write_parquet(f"{out}/train.parquet")
"""

DUCKDB = """
import sys, duckdb
store, out, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = duckdb.connect()
db.execute(f"SET temp_directory = '{out}/spill'")
db.execute(f'''
    CREATE TEMP TABLE kept AS
    SELECT user_id, item_id, rating, hash(user_id, item_id, {seed}) AS place
    FROM read_parquet('{store}/ratings/*.parquet')
    SEMI JOIN (FROM read_parquet('{store}/items.parquet') WHERE n_ratings > MIN_ITEM)
        USING (item_id)
    SEMI JOIN (FROM read_parquet('{store}/users.parquet') WHERE n_ratings > MIN_USER)
        USING (user_id)
''')
bound = f"place < CAST(18446744073709551615 * TEST_FRACTION AS UBIGINT)"
for name, subset in (("test", bound), ("train", f"NOT ({bound})")):
    db.execute(f'''
        COPY (SELECT user_id, item_id, rating FROM kept WHERE {subset} ORDER BY place)
        TO '{out}/{name}.parquet'
    ''')
"""


def script(text: str) -> str:
    """A peer's script with the constants put in."""
    for name in ("MIN_ITEM", "MIN_USER", "TEST_FRACTION"):
        text = text.replace(name, str(globals()[name]))
    return text


def main() -> None:
    """Run the ways in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    store = arguments.store.resolve()
    create = [
        sys.executable, "-m", "bigrec", "split", "create", _NAME, "--store", str(store), "--json",
        "--min-item-ratings", str(MIN_ITEM + 1), "--min-user-ratings", str(MIN_USER + 1),
        "--test-fraction", str(TEST_FRACTION),
    ]  # fmt: skip
    costs: list[tuple[str, Cost]] = []
    for round_number in range(arguments.rounds):
        for name, text in (("Polars", POLARS), ("DuckDB", DUCKDB)):
            with tempfile.TemporaryDirectory(dir=store.parent) as out:
                argv = [sys.executable, "-c", script(text), str(store), out, str(round_number)]
                costs.append((name, run_process(argv)))
        try:
            costs.append(("bigrec split create", run_process(create)))
            materialize = run_process([*create, "--materialize"])
            costs.append(("bigrec --materialize after it", materialize))
        finally:
            shutil.rmtree(store / "splits" / _NAME, ignore_errors=True)
    n_ratings = json.loads((store / "manifest.json").read_text())["n_ratings"]
    print(f"{n_ratings:,} ratings, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print_costs("way", costs)


if __name__ == "__main__":
    main()
