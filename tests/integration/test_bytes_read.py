"""A question about little data reads little of the store: the scan leaves out rows and columns.

The operating system counts the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.support.sealing import seal_again

from bigrec.ingest.ingest import ingest_ratings
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split, create_split
from bigrec.store import seal
from bigrec.store.catalog import open_catalog
from bigrec.store.layout import StoreLayout
from bigrec.synthetic import write_synthetic

ROW_GROUP_ROWS = 10_000


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """A split of a store with many small row groups, beside which the footers count for little."""
    folder = tmp_path_factory.mktemp("bytes-read")
    budget = Budget(threads=2)
    write_synthetic(folder / "raw", n_ratings=400_000, budget=budget)
    ingest_ratings(folder / "raw", folder / "store", budget=budget)
    layout = StoreLayout(folder / "store")
    for part in [*layout.parts(layout.ratings), *layout.parts(layout.ratings_by_user)]:
        rows = pl.read_parquet(part)
        rows.write_parquet(part, row_group_size=ROW_GROUP_ROWS, compression="uncompressed")
    seal_again(layout.root)
    return create_split(open_catalog(folder / "store"), "s", SplitSpec(validation_fraction=0.1))


@pytest.fixture(autouse=True)
def without_verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a store reads its files again up to a bound, which all of these are below."""
    monkeypatch.setattr(seal, "VERIFIED_BYTES", 0)


def bytes_read(work: Callable[[], object]) -> int:
    """What this process reads during a piece of work, by the operating system's count."""

    def so_far() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = so_far()
    work()
    return so_far() - before


def test_the_count_sees_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    assert 1 << 20 <= bytes_read((tmp_path / "file").read_bytes) < (1 << 20) + 10_000


def test_projection_and_predicate_of_a_split_reach_the_scan(split: Split) -> None:
    one_item = pl.col("item_id") == 7
    everything = bytes_read(split.train.collect)
    assert bytes_read(split.train.select("item_id", "user_id").collect) < 0.75 * everything
    assert bytes_read(split.train.filter(one_item).collect) < 0.25 * everything
    plan = split.train.filter(one_item).select("rating").explain()
    scan = plan[plan.index("Parquet SCAN") :].splitlines()
    assert scan[1].strip() == "PROJECT 3/4 COLUMNS"  # the date is left out
    assert 'SELECTION: col("item_id") == 7' in scan[2]


@pytest.mark.parametrize(
    ("view", "column"), [("ratings", "item_id"), ("ratings_by_user", "user_id")]
)
def test_a_look_up_in_sql_reads_the_row_groups_that_it_needs(
    split: Split, view: str, column: str
) -> None:
    with open_session(split.catalog.layout.root, budget=Budget(threads=2)) as session:
        (middle,) = session.run(f"SELECT median({column})::INT FROM {view}").fetchall()[0]
    ask = f"SELECT * FROM {view}"

    def run(query: str) -> Callable[[], object]:
        # A session of its own, since the engine remembers what it has read.
        def work() -> None:
            with open_session(split.catalog.layout.root, budget=Budget(threads=2)) as session:
                session.run(query).fetchall()

        return work

    look_up = bytes_read(run(f"{ask} WHERE {column} = {middle}"))
    assert look_up < 0.25 * bytes_read(run(ask))
