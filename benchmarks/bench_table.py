"""Ingest of a table of one's own against two peers: a DuckDB script and a Polars script.

    python benchmarks/bench_table.py
    python benchmarks/bench_table.py --rows 100000000 --raw DIR --repeat 3 --gate
    python benchmarks/bench_table.py --rows 100000000 --raw DIR --many-users --only csv

The rows are those of `made_rows`: as csv 41 bytes each (`user_id,item_id,rating,timestamp`), and
the same as Parquet. All sides read the file, number both kinds of keys, and write the ratings
sorted by (item_id, user_id) and by (user_id, item_id), times as timestamps of whole seconds, and
both tables of ids and keys, as Parquet with zstd. What each has written of a small table is held
against its rows, key by key, before anything is measured.

The peers are what was fastest of several forms, at 5,000,000 rows of csv on 2 busy cores (CPU s):

- DuckDB: one pass into a temporary table and joins (4.9); the same with the file read twice and no
  such table (7.4, but as fast from Parquet); enum types and their codes (8.0); dense_rank over both
  keys (9.1). Sorting by one BIGINT of both ids was no faster. Version 2 of Parquet packs ids and
  times (8.6 bytes a rating and order, not 9.6), and so do milliseconds beside the microseconds that
  a TIMESTAMP is (7.5); zstd 1 gained nothing beside the default.
- Polars: categoricals and their codes (5.0); unique keys and joins (5.9, whether joined once or for
  each order). Sorting by one Int64 of both ids halves it: 5.9 with joins, not 9 to 10; a sort and a
  sink in the streaming engine gain over those in memory.

Each run is a process of its own, in turn, on a file that the system holds in memory; wall and
processor seconds and the peak of resident memory are those of the whole process, from its start.
Peers may use 16 GB, ingest 1 GiB. `--gate` fails where ingest misses what it promises.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench_ingest import Run, median_run
from bigrec.store.publish import folder_bytes
from made_rows import MIN_ROWS, Shop, write_csv, write_parquet
from processes import run_process

DUCKDB = """
    import os, sys
    import duckdb
    source, out, per_second = sys.argv[1:]
    for folder in ("ratings", "ratings_by_user"):
        os.makedirs(f"{out}/{folder}")
    duckdb.sql(
        f"set threads = {len(os.sched_getaffinity(0))}; set memory_limit = '16GB'; "
        f"set preserve_insertion_order = false; set temp_directory = '{out}.spilled'"
    )
    columns = {
        "user_id": "varchar", "item_id": "varchar", "rating": "float", "timestamp": "bigint"
    }
    if source.endswith(".csv"):
        table = (
            f"read_csv('{source}', header = true, auto_detect = false, delim = ',', "
            f"quote = '', escape = '', columns = {columns})"
        )
    else:
        table = f"read_parquet('{source}')"
    duckdb.sql(f"create temp table rows_read as from {table}")
    for name in ("user", "item"):
        duckdb.sql(
            f'''
            create temp table {name}s as
            select (row_number() over ())::integer as {name}_id, key
            from (select distinct {name}_id as key from rows_read)
            '''
        )
    duckdb.sql(
        f'''
        create temp table ratings as
        select
            items.item_id, users.user_id, rating::float as rating,
            make_timestamp(timestamp // {per_second} * 1000000)::timestamp_ms as time
        from rows_read
        join users on users.key = rows_read.user_id
        join items on items.key = rows_read.item_id
        '''
    )
    duckdb.sql("drop table rows_read")
    written = "(format parquet, parquet_version v2, compression zstd)"
    for folder, order in (("ratings", "item_id, user_id"), ("ratings_by_user", "user_id, item_id")):
        duckdb.sql(
            f"copy (from ratings order by {order}) to '{out}/{folder}/part.parquet' {written}"
        )
    for name in ("users", "items"):
        duckdb.sql(f"copy {name} to '{out}/{name}.parquet' {written}")
"""

POLARS = """
    import os, sys
    import polars as pl
    source, out, per_second = sys.argv[1:]
    for folder in ("ratings", "ratings_by_user"):
        os.makedirs(f"{out}/{folder}")
    schema = {
        "user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "timestamp": pl.Int64
    }
    if source.endswith(".csv"):
        table = pl.scan_csv(source, schema=schema, quote_char=None)
    else:
        table = pl.scan_parquet(source)
    seconds = pl.col("timestamp") // int(per_second)
    rows = table.select(
        pl.col("item_id").cast(pl.Categorical(pl.Categories("items", physical=pl.UInt32))),
        pl.col("user_id").cast(pl.Categorical(pl.Categories("users", physical=pl.UInt32))),
        pl.col("rating").cast(pl.Float32),
        (seconds * 1000).cast(pl.Datetime("ms")).alias("time"),
    ).collect(engine="streaming").lazy()
    for name in ("user", "item"):
        key = pl.col(f"{name}_id")
        rows.select(key).unique().select(
            key.to_physical().cast(pl.Int32), key.cast(pl.String).alias("key")
        ).sink_parquet(f"{out}/{name}s.parquet", compression="zstd", engine="streaming")
    ratings = rows.with_columns(pl.col("item_id", "user_id").to_physical().cast(pl.Int32))
    for folder, first, second in (
        ("ratings", "item_id", "user_id"), ("ratings_by_user", "user_id", "item_id")
    ):
        ratings.sort(pl.col(first).cast(pl.Int64) * 2**32 + pl.col(second)).sink_parquet(
            f"{out}/{folder}/part.parquet", compression="zstd", engine="streaming"
        )
"""

BIGREC = """
    import sys
    from bigrec.cli.app import run
    source, out, _ = sys.argv[1:]
    sys.argv[1:] = ["ingest", source, "--store", out, "--memory", "1GiB"]
    run()
"""

SIDES: Final = {"duckdb": DUCKDB, "polars": POLARS, "bigrec": BIGREC}
FORMS: Final[dict[str, Callable[[Shop, Path], None]]] = {"csv": write_csv, "parquet": write_parquet}

MIN_SPEEDUP: Final = 3.0
MAX_PEAK_BYTES: Final = 1 << 30
MAX_SHARE_OF_BYTES: Final = 0.7


def in_own_process(function: Callable[..., None], *arguments: object) -> None:
    """Call a function where its memory does not count as that of the sides: they inherit ours."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        workers.submit(function, *arguments).result()


def table_file(shop: Shop, form: str, folder: Path) -> Path:
    """The file of the rows in a form, made if it is not there."""
    path = folder / f"{shop.name}.{form}"
    if not path.exists():
        unfinished = path.with_name(f"unfinished-{path.name}")
        in_own_process(FORMS[form], shop, unfinished)
        unfinished.rename(path)
    return path


def run_once(side: str, shop: Shop, source: Path, out: Path) -> Run:
    """Run a side in a process of its own; the bytes are those of both orders of the ratings."""
    with source.open("rb") as file:  # so that all find the file in memory
        while file.read(1 << 24):
            pass
    per_second = 1000 if shop.milliseconds else 1
    code = textwrap.dedent(SIDES[side])
    cost = run_process([sys.executable, "-c", code, str(source), str(out), str(per_second)])
    return Run(*cost, sum(folder_bytes(out / name) for name in ("ratings", "ratings_by_user")))


def check_rows(shop: Shop, source: Path, out: Path) -> None:
    """Hold what a side has written against the rows of a csv file.

    Raises:
        AssertionError: a row differs, an order is none, or an id has two keys.
    """
    import polars as pl

    names = ["user_id", "item_id", "rating", "seconds"]
    seconds = pl.col("timestamp") // (1000 if shop.milliseconds else 1)
    rows = pl.read_csv(source).select(*names[:3], seconds.alias("seconds")).sort(names)
    users, items = (pl.read_parquet(out / f"{name}.parquet") for name in ("users", "items"))
    assert users["user_id"].n_unique() == users["key"].n_unique() == len(users) == shop.n_users
    assert items["item_id"].n_unique() == items["key"].n_unique() == len(items)
    for folder, first, second in (
        ("ratings", "item_id", "user_id"),
        ("ratings_by_user", "user_id", "item_id"),
    ):
        ratings = pl.read_parquet(out / folder / "*.parquet")
        if "second" in ratings.columns:  # of a day, as ingest keeps it
            time = pl.col("date").cast(pl.Datetime("ms")) + pl.duration(seconds=pl.col("second"))
            ratings = ratings.with_columns(time=time)
        both = ratings.select(pl.col(first).cast(pl.Int64) * 2**32 + pl.col(second)).to_series()
        assert both.is_sorted(), f"{out / folder} is not sorted"
        with_keys = (
            ratings.join(users.select("user_id", user="key"), on="user_id")
            .join(items.select("item_id", item="key"), on="item_id")
            .select(
                user_id="user",
                item_id="item",
                rating=pl.col("rating").cast(pl.Float64),
                seconds=pl.col("time").dt.epoch("s"),
            )
            .sort(names)
        )
        assert with_keys.equals(rows), f"{out / folder} has other rows than {source}"


def measure(
    shop: Shop, form: str, sides: list[str], *, raw: Path, work: Path, n_rounds: int
) -> dict[str, Run]:
    """The medians of every side on one form, after a run of each on a small table."""
    small = Shop(MIN_ROWS, MIN_ROWS // 20, MIN_ROWS // 100, shop.milliseconds)
    small_file, rows = (table_file(small, name, work) for name in (form, "csv"))
    out = work / "out"
    for side in sides:  # compiles and fills caches
        run_once(side, small, small_file, out)
        in_own_process(check_rows, small, rows, out)
        shutil.rmtree(out)
    source = table_file(shop, form, raw)
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    for _ in range(n_rounds):
        for side in sides:
            runs[side].append(run_once(side, shop, source, out))
            shutil.rmtree(out)
    return {side: median_run(of_one) for side, of_one in runs.items()}


def print_table(form: str, shop: Shop, medians: dict[str, Run]) -> None:
    """Print what every side costs, and how many times faster than it ingest is."""
    print(f"| {form} | wall s | CPU s | peak MiB | bytes a rating and order | bigrec is faster |")
    print("|---|---|---|---|---|---|")
    ours = medians.get("bigrec")
    for side, run in medians.items():
        ratio = f"{run.wall_seconds / ours.wall_seconds:.1f}" if ours and run is not ours else ""
        print(
            f"| {side} | {run.wall_seconds:.1f} | {run.cpu_seconds:.1f} "
            f"| {run.peak_bytes / 2**20:,.0f} | {run.out_bytes / shop.n_rows / 2:.2f} | {ratio} |"
        )
    print(flush=True)


def missed_promises(form: str, medians: dict[str, Run]) -> list[str]:
    """A line for everything that ingest promises and did not reach."""
    ours = medians.get("bigrec")
    peers = [run for side, run in medians.items() if side != "bigrec"]
    if not ours:
        return []
    missed = []
    if ours.peak_bytes > MAX_PEAK_BYTES:
        missed.append(f"a peak of {ours.peak_bytes / 2**20:,.0f} MiB, promised are 1,024")
    if peers:
        speedup = min(run.wall_seconds for run in peers) / ours.wall_seconds
        share = ours.out_bytes / min(run.out_bytes for run in peers)
        if speedup < MIN_SPEEDUP:
            missed.append(f"{speedup:.2f} times as fast as the faster peer, promised are 3")
        if share > MAX_SHARE_OF_BYTES:
            missed.append(f"{share:.2f} of the smaller peer's bytes, promised are 0.7")
    return [f"missed from {form}: {text}" for text in missed]


def main() -> int:
    """Measure, print the tables, and hold them against what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--many-users", action="store_true", help="a user for every two rows")
    parser.add_argument("--milliseconds", action="store_true", help="times in milliseconds")
    parser.add_argument("--raw", type=Path, help="keeps the table, for the next time")
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder if not given")
    parser.add_argument("--repeat", type=int, default=1, help="rounds over all sides")
    parser.add_argument("--only", choices=tuple(FORMS), help="one form")
    parser.add_argument("--sides", default=",".join(SIDES), help="of duckdb,polars,bigrec")
    parser.add_argument("--gate", action="store_true", help="fail where a promise is missed")
    options = parser.parse_args()
    sides = options.sides.split(",")
    if unknown := set(sides) - set(SIDES):
        parser.error(f"expected sides of {', '.join(SIDES)}, found {', '.join(sorted(unknown))}")
    if options.rows < MIN_ROWS:
        parser.error(f"expected at least {MIN_ROWS:,} rows, found {options.rows:,}")
    n_users = options.rows // (2 if options.many_users else 20)
    shop = Shop(options.rows, n_users, options.rows // 100, options.milliseconds)
    packages = ("duckdb", "numba", "numpy", "polars", "pyarrow")
    print(
        f"{shop.n_rows:,} rows, {shop.n_users:,} users, {shop.n_items:,} items, "
        f"{options.repeat} rounds, {platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"{datetime.now(UTC).date()}, Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in packages)
        + "\n"
    )
    missed = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        raw = options.raw or work
        raw.mkdir(parents=True, exist_ok=True)
        for form in [options.only] if options.only else FORMS:
            medians = measure(shop, form, sides, raw=raw, work=work, n_rounds=options.repeat)
            print_table(form, shop, medians)
            missed += missed_promises(form, medians)
    print("\n".join(missed) or "nothing that was measured misses a promise")
    return 1 if options.gate and missed else 0


if __name__ == "__main__":
    sys.exit(main())
