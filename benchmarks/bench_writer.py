"""The writer of ratings against pyarrow's with the same encodings, in one thread.

    python benchmarks/bench_writer.py --ratings 5000000

Both write the same sorted rows, in row groups of one size, with DELTA_BINARY_PACKED ids, dictionary
pages of ratings and dates, and zstd 1. Ours takes the payloads that ingest holds; pyarrow takes a
table of the columns, which is made beforehand and not counted. A third contender is pyarrow with
its own defaults. The files are read back by pyarrow and compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.interactions import CODE_BITS, CODE_MASK, Scale
from bigrec.schema import DATE, ITEM_ID, RATING, USER_ID
from bigrec.store.ratings_file import ROW_GROUP_ROWS, RatingsWriter

SCALE = Scale.even(1, 5, 5)
Rows = tuple[Any, Any, Any]


def make_rows(n_rows: int, *, by_user: bool) -> Rows:
    """Rows in one of the two sort orders, as skewed as ratings are: ids, and payloads."""
    rng = np.random.default_rng(1)
    n_items, n_users = max(n_rows // 5654, 20), max(n_rows // 209, 20)
    item = 1 + (n_items * rng.random(n_rows) ** 3).astype(np.int32)
    user = 1 + (n_users * rng.random(n_rows) ** 2).astype(np.int32)
    day = (11_000 + 2200 * rng.random(n_rows) ** 0.5).astype(np.int32)
    code = rng.choice(5, n_rows, p=[0.05, 0.1, 0.29, 0.33, 0.23]).astype(np.int32)
    order = np.lexsort((item, user) if by_user else (user, item))
    return item[order], user[order], (day << CODE_BITS | code)[order]


def to_table(rows: Rows) -> pa.Table:
    """The columns of a store."""
    item, user, payload = rows
    date = pa.array(payload >> CODE_BITS, pa.int32()).cast(pa.date32())
    columns = {ITEM_ID: item, USER_ID: user, RATING: SCALE.table[payload & CODE_MASK], DATE: date}
    return pa.table(columns)


def write_ours(path: Path, rows: Rows, *, by_user: bool) -> None:
    """Write by bigrec's writer."""
    RatingsWriter(SCALE).write(path, *rows, by_user=by_user)


def write_alike(path: Path, table: pa.Table) -> None:
    """Write by pyarrow's, with the same encodings."""
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=[RATING, DATE],
        column_encoding={ITEM_ID: "DELTA_BINARY_PACKED", USER_ID: "DELTA_BINARY_PACKED"},
        compression="zstd",
        compression_level=1,
    )


def write_default(path: Path, table: pa.Table) -> None:
    """Write by pyarrow's, as it comes."""
    pq.write_table(table, path)


def main() -> None:
    """Print a line for each order and writer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--ratings", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    print("| order | writer | CPU s a 10 M rows | MiB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for by_user in (False, True):
            rows = make_rows(arguments.ratings, by_user=by_user)
            table = to_table(rows)
            write_ours(Path(folder, "compiled"), tuple(c[:1000] for c in rows), by_user=by_user)
            writers: dict[str, Callable[[Path], None]] = {
                "bigrec": lambda path: write_ours(path, rows, by_user=by_user),  # noqa: B023
                "pyarrow, the same encodings": lambda path: write_alike(path, table),  # noqa: B023
                "pyarrow, defaults": lambda path: write_default(path, table),  # noqa: B023
            }
            seconds: dict[str, list[float]] = {name: [] for name in writers}
            for _ in range(arguments.repeat):
                for number, (name, write) in enumerate(writers.items()):
                    path = Path(folder, str(number))
                    started = time.process_time()
                    write(path)
                    seconds[name].append(time.process_time() - started)
                    assert pq.read_table(path).columns == table.columns, name
            for number, name in enumerate(writers):
                median = statistics.median(seconds[name]) * 1e7 / arguments.ratings
                size = Path(folder, str(number)).stat().st_size / (1 << 20)
                order = "by user" if by_user else "by item"
                print(f"| {order} | {name} | {median:.2f} | {size:.1f} |")


if __name__ == "__main__":
    main()
