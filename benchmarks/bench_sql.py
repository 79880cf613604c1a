"""SQL over a store against DuckDB over a plain Parquet copy, and the start-up time of `bigrec sql`.

    python benchmarks/bench_sql.py --ratings 1000000
    python benchmarks/bench_sql.py --store DIR --repeat 5 --gate

The plain copy is what Polars writes by default from the same rows in the order of items. Both
subsets run the same queries with the same threads and memory limit, each in a process of its own,
in turn; one run of every query warms the file cache and is not counted. Query seconds exclude
start-up; the last lines are whole processes as a user starts them. `--gate` fails where a promise
is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from bigrec.ingest.ingest import ingest_ratings
from bigrec.resources import Budget
from bigrec.synthetic import write_synthetic
from processes import run_process

QUERIES = {
    "one user's history": "SELECT * FROM ratings_by_user WHERE user_id = {user}",
    "one item's ratings": "SELECT * FROM ratings WHERE item_id = {item}",
    "rating distribution": "SELECT rating, count(*) FROM ratings GROUP BY rating",
    "ratings per day": "SELECT date, count(*), avg(rating) FROM ratings GROUP BY date",
    "mean per item": "SELECT item_id, count(*), avg(rating) FROM ratings GROUP BY item_id",
    "mean per user": "SELECT user_id, count(*), avg(rating) FROM ratings_by_user GROUP BY user_id",
    "spread of all columns": (
        "SELECT min(item_id), max(user_id), stddev_pop(rating), min(date) FROM ratings"
    ),
}
LOOKUPS = ("one user's history", "one item's ratings")

# Both contenders get: a JSON object {query name: SQL}, the data, the number of runs.
OURS = """
import json, sys, time
from pathlib import Path
from bigrec.query.session import open_session
from bigrec.resources import Budget
queries, data, repeat = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
session = open_session(Path(data), budget=Budget(threads=2))
run = lambda sql: session.run(sql).fetchall()
"""
PEER = """
import json, sys, time
import duckdb
queries, data, repeat = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
connection = duckdb.connect(config={"memory_limit": "1GiB", "threads": 2})
connection.execute("SET enable_progress_bar = false")
for view in ("ratings", "ratings_by_user"):
    connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet('{data}')")
run = lambda sql: connection.execute(sql).fetchall()
"""
TIMING = """
seconds = {}
for name, sql in queries.items():
    run(sql)
    runs = []
    for _ in range(repeat):
        start, start_cpu = time.perf_counter(), time.process_time()
        run(sql)
        runs.append((time.perf_counter() - start, time.process_time() - start_cpu))
    seconds[name] = [sorted(column)[repeat // 2] for column in zip(*runs)]
print(json.dumps(seconds))
"""


def main() -> int:
    """Run all, print the table, return 1 where --gate finds a promise missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a store; else one is made")
    parser.add_argument("--ratings", type=int, default=1_000_000, help="of the store that is made")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--gate", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bigrec-bench-sql-") as folder:
        store = arguments.store or make_store(Path(folder), arguments.ratings)
        plain = Path(folder) / "plain.parquet"
        pl.scan_parquet(store / "ratings" / "part-*.parquet").sink_parquet(plain)
        queries = fill_in(store)
        ours = run_contender(OURS, queries, store, arguments.repeat)
        peer = run_contender(PEER, queries, plain, arguments.repeat)
        processes = {
            "bigrec sql, one user, whole process": whole_process(
                arguments.repeat, "sql", "--store", str(store), queries["one user's history"]
            ),
            "bigrec sql, one item, whole process": whole_process(
                arguments.repeat, "sql", "--store", str(store), queries["one item's ratings"]
            ),
        }
        check = whole_process(1, "check", "--store", str(store), "--threads", "2")
    describe(store)
    print("\n| query | bigrec s | plain s | ratio | bigrec CPU s | plain CPU s | CPU ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in QUERIES:
        cells = []
        for mine, other in zip(ours[name], peer[name], strict=True):
            cells += [f"{mine:.3f}", f"{other:.3f}", f"{other / mine:.1f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| process | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for name, (wall, cpu, peak) in {**processes, "bigrec check": check}.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak >> 20} |")
    missed = find_missed(ours, peer, processes)
    for text in missed:
        print(f"missed: {text}", file=sys.stderr)
    return 1 if arguments.gate and missed else 0


def make_store(folder: Path, n_ratings: int) -> Path:
    """A synthetic store."""
    budget = Budget(threads=2)
    write_synthetic(folder / "raw", n_ratings=n_ratings, seed=0, budget=budget)
    ingest_ratings(folder / "raw", folder / "store", budget=budget)
    return folder / "store"


def fill_in(store: Path) -> dict[str, str]:
    """The queries with a typical user and item: the ones in the middle by number of ratings."""
    ids = {}
    for column, table in (("user", "users"), ("item", "items")):
        ids[column] = duckdb.execute(
            f"SELECT {column}_id FROM read_parquet('{store}/{table}.parquet') "  # noqa: S608
            "WHERE n_ratings >= (SELECT median(n_ratings) FROM "
            f"read_parquet('{store}/{table}.parquet')) ORDER BY n_ratings, 1 LIMIT 1"
        ).fetchall()[0][0]
    return {name: sql.format(**ids) for name, sql in QUERIES.items()}


def run_contender(
    setup: str, queries: dict[str, str], data: Path, repeat: int
) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of each query, in a process of its own."""
    command = [sys.executable, "-c", setup + TIMING, json.dumps(queries), str(data), str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: (wall, cpu) for name, (wall, cpu) in json.loads(done.stdout).items()}


def whole_process(repeat: int, *argv: str) -> tuple[float, float, int]:
    """Median wall seconds, CPU seconds and peak resident bytes of `bigrec ARGV`."""
    command = [str(Path(sys.executable).with_name("bigrec")), *argv]
    runs = []
    for number in range(repeat + (repeat > 1)):
        cost = run_process(command)
        if number or repeat == 1:
            runs.append(cost)
    wall, cpu, peak = (statistics.median(column) for column in zip(*runs, strict=True))
    return wall, cpu, int(peak)


def find_missed(
    ours: dict[str, tuple[float, float]],
    peer: dict[str, tuple[float, float]],
    processes: dict[str, Any],
) -> list[str]:
    """The promises that these numbers do not keep."""
    ratio = {name: peer[name][0] / ours[name][0] for name in QUERIES}
    missed = []
    user = "one user's history"
    if ratio[user] < 10:
        missed.append(f"{user} should be 10 times faster, is {ratio[user]:.1f}")
    missed.extend(
        f"{name} should be no slower, takes {1 / ratio[name]:.2f} times as long"
        for name in QUERIES
        if name not in LOOKUPS and ratio[name] < 0.9
    )
    missed.extend(
        f"{name} should take at most 0.5 s, takes {wall:.2f} s"
        for name, (wall, _, _) in processes.items()
        if wall > 0.5
    )
    return missed


def describe(store: Path) -> None:
    """Where the numbers come from."""
    manifest = json.loads((store / "manifest.json").read_text())
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "typer"))
    print(
        f"{manifest['n_ratings']:,} ratings; {datetime.now(UTC):%Y-%m-%d}; "
        f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, {versions}"
    )


if __name__ == "__main__":
    sys.exit(main())
