"""Ingest against three peers: the notebook's cells, a DuckDB script and a Polars script.

    python benchmarks/bench_ingest.py --ratings 1000000
    python benchmarks/bench_ingest.py --ratings 100480507 --raw DIR --repeat 3 --gate

Every contender reads the same raw files and writes all ratings as Parquet (the notebook: as a csv
file that it reads back into a frame, which is all that it keeps). Each runs in a process of its
own, in turn, on files that the system holds in memory; wall and processor seconds and the peak of
resident memory are those of the whole process, from its start. `--gate` fails where a ratio that
ingest promises is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bigrec.store.publish import folder_bytes
from bigrec.synthetic import write_synthetic
from processes import run_process

# The cells of the notebook that load the ratings, without the printing.
NOTEBOOK = """
    import sys
    import pandas as pd
    raw, out = sys.argv[1:]
    with open(out, "w") as data:
        for number in range(1, 5):
            with open(f"{raw}/combined_data_{number}.txt") as f:
                for line in f:
                    line = line.strip()
                    if line.endswith(":"):
                        item_id = line.replace(":", "")
                    else:
                        row = [x for x in line.split(",")]
                        row.insert(0, item_id)
                        data.write(",".join(row))
                        data.write("\\n")
    df = pd.read_csv(out, sep=",", names=["item_id", "user_id", "rating", "date"])
    df.date = pd.to_datetime(df.date)
    df.item_id = df.item_id - 1
    df["rating"] = df["rating"].astype(float)
"""

# A line of ratings belongs to the last header before it. To SQL rows have no order, so the script
# numbers the lines and orders the window by that. DuckDB promises to keep the order of a file in
# what it reads, but not in what a window sees: the second form, whose window has no order and so
# streams, comes out right today and is measured for that.
DUCKDB = """
    import sys
    import duckdb
    raw, out = sys.argv[1:]
    duckdb.sql(
        f'''
        copy (
            select item_id, id::integer as user_id, rating, date
            from (
                select
                    id, rating, date,
                    last_value(
                        case when rating is null then rtrim(id, ':')::integer end ignore nulls
                    ) over (ORDER rows between unbounded preceding and current row) as item_id
                from (
                    select COLUMNS
                    from read_csv(
                        '{raw}/combined_data_*.txt', header = false, auto_detect = false,
                        delim = ',', quote = '', escape = '', null_padding = true,
                        columns = {{'id': 'varchar', 'rating': 'float', 'date': 'date'}}
                    )
                )
            )
            where rating is not null
        ) to '{out}' (format parquet, compression zstd)
        '''
    )
"""
DUCKDB_ORDERED = DUCKDB.replace("COLUMNS", "*, row_number() over () as line").replace(
    "ORDER", "order by line"
)
DUCKDB_UNORDERED = DUCKDB.replace("COLUMNS", "*").replace("ORDER ", "")

POLARS = """
    import glob, sys
    import polars as pl
    raw, out = sys.argv[1:]
    (
        pl.scan_csv(
            sorted(glob.glob(f"{raw}/combined_data_*.txt")),
            has_header=False,
            schema={"id": pl.String, "rating": pl.Float32, "date": pl.String},
            missing_columns="insert",
        )
        .with_columns(
            pl.when(pl.col("rating").is_null())
            .then(pl.col("id").str.strip_suffix(":").cast(pl.Int32, strict=False))
            .forward_fill()
            .alias("item_id")
        )
        .filter(pl.col("rating").is_not_null())
        .select(
            "item_id",
            pl.col("id").cast(pl.Int32).alias("user_id"),
            "rating",
            pl.col("date").str.to_date("%Y-%m-%d"),
        )
        .sink_parquet(out)
    )
"""

BIGREC = """
    import sys
    from bigrec.cli.app import run
    raw, out, *flags = sys.argv[1:]
    sys.argv[1:] = ["ingest", raw, "--store", out, *flags]
    run()
"""


@dataclass(frozen=True)
class Contender:
    """One way to load the ratings."""

    name: str
    code: str
    flags: tuple[str, ...] = ()
    min_speedup: tuple[tuple[str, float], ...] = ()
    """Names of peers, and how many times faster than they this must be."""


CONTENDERS = (
    Contender("notebook cells", NOTEBOOK),
    Contender("DuckDB script", DUCKDB_ORDERED),
    Contender("DuckDB script, window without order", DUCKDB_UNORDERED),
    Contender("Polars script", POLARS),
    Contender(
        "bigrec --no-by-user",
        BIGREC,
        ("--no-by-user",),
        (("Polars script", 3), ("DuckDB script", 12), ("notebook cells", 25)),
    ),
    Contender("bigrec", BIGREC, (), (("Polars script", 1),)),
    Contender("bigrec --memory 512MiB", BIGREC, ("--memory", "512MiB")),
)


@dataclass(frozen=True)
class Run:
    """One measured process."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    out_bytes: int


def run_once(contender: Contender, raw: Path, work: Path) -> Run:
    """Run a contender in a process of its own; what it writes is deleted."""
    out = work / "out"
    for path in raw.iterdir():  # so that all find the files in memory
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    command = [sys.executable, "-c", textwrap.dedent(contender.code), str(raw), str(out)]
    cost = run_process([*command, *contender.flags])
    n_bytes = folder_bytes(out) if out.is_dir() else out.stat().st_size
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Run(*cost, n_bytes)


def median_run(runs: list[Run]) -> Run:
    """The median of every figure."""
    return Run(
        statistics.median(run.wall_seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        max(run.peak_bytes for run in runs),
        runs[0].out_bytes,
    )


def main() -> int:
    """Measure, print the table, and hold it against what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ratings", type=int, default=1_000_000, help="size of the set to make")
    parser.add_argument("--raw", type=Path, help="raw files that are there already")
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder if not given")
    parser.add_argument("--repeat", type=int, default=1, help="rounds over all contenders")
    parser.add_argument("--skip", nargs="*", default=[], help="words in names of contenders")
    parser.add_argument("--gate", action="store_true", help="fail where a promise is missed")
    options = parser.parse_args()
    contenders = [c for c in CONTENDERS if not any(word in c.name for word in options.skip)]
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        raw = options.raw or Path(folder) / "raw"
        if not raw.exists():
            write_synthetic(raw, n_ratings=options.ratings)
        work = Path(folder) / "work"
        work.mkdir()
        tiny = Path(folder) / "tiny"
        write_synthetic(tiny, n_ratings=1000)
        for contender in contenders:  # compiles and fills caches
            run_once(contender, tiny, work)
        runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
        for _ in range(options.repeat):
            for contender in contenders:
                runs[contender.name].append(run_once(contender, raw, work))
    medians = {name: median_run(of_one) for name, of_one in runs.items()}
    print_table(medians, options.ratings, options.repeat)
    missed = missed_promises(contenders, medians)
    print("\n".join(missed) or "every ratio is as promised")
    return 1 if options.gate and missed else 0


def print_table(medians: dict[str, Run], n_ratings: int, n_rounds: int) -> None:
    """Print the table in Markdown, with where and when it was measured."""
    packages = ("duckdb", "numba", "numpy", "pandas", "polars", "pyarrow")
    today = datetime.now(UTC).date()
    print(
        f"{n_ratings:,} ratings, {n_rounds} rounds, {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} cores, {today}, Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in packages)
        + "\n"
    )
    print("| | wall s | CPU s | peak memory MiB | bytes a rating | M ratings/s |")
    print("|---|---|---|---|---|---|")
    for name, run in medians.items():
        print(
            f"| {name} | {run.wall_seconds:.1f} | {run.cpu_seconds:.1f} "
            f"| {run.peak_bytes / 2**20:,.0f} | {run.out_bytes / n_ratings:.2f} "
            f"| {n_ratings / run.wall_seconds / 1e6:.1f} |"
        )
    print()


def missed_promises(contenders: list[Contender], medians: dict[str, Run]) -> list[str]:
    """A line for every promised ratio that was not reached."""
    missed = []
    for contender in contenders:
        for peer, least in contender.min_speedup:
            if peer in medians:
                ratio = medians[peer].wall_seconds / medians[contender.name].wall_seconds
                text = f"{contender.name}: {ratio:.1f} times faster than the {peer}"
                print(text, f"(promised: {least:g})")
                if ratio < least:
                    missed.append(f"missed: {text}, promised are {least:g}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
