"""Scanning a store for the rows of a split: pairs, subsets, counts; a row group at a time.

Rows are sorted by user, or by item where a store keeps that order alone. How many rows each user
has is stored, so the column of the ids that rows are sorted by is never read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.errors import StoreError
from bigrec.interactions import Packing
from bigrec.resources import Budget, Progress, map_in_order
from bigrec.schema import DATE, EPOCH_DAY, ITEM_ID, RATING, SECOND, USER_ID
from bigrec.splits.kernels import ABSENT, N_SUBSETS, Codes, IdIndex, Rule, count_rows, select_rows
from bigrec.store.catalog import Catalog
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]
Result = TypeVar("Result")

_MAX_DENSE_ID: Final = 1 << 26


@dataclass(frozen=True)
class Selection:
    """What a split takes of a store."""

    users: IdIndex
    """The users that take part."""
    items: IdIndex
    """The items that take part."""
    rule: Rule
    """In which subset a row is."""


@dataclass(frozen=True)
class SelectedRows:
    """The rows of one row group that a split takes, in memory that a scan uses again."""

    pair: Array
    """(n,) int64; code 0 where no ratings were read."""
    packing: Packing
    """Of the pairs."""
    day: Array
    """(n,) int32, days since 1921; empty where no days were read."""
    second: Array
    """(n,) int32, of the day; empty where no seconds were read."""
    subset: Array
    """(n,) uint8: TRAIN, VALIDATION or TEST."""
    n_read: int
    """Rows of the row group."""
    n_dropped: int
    """Validation and test rows left out because their user or item has no train row."""

    def copy(self) -> SelectedRows:
        """The same rows in memory of their own."""
        return dataclasses.replace(
            self, pair=self.pair.copy(), day=self.day.copy(), second=self.second.copy(),
            subset=self.subset.copy(),
        )  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """Rows of a selection."""

    by_user: Array
    """(n_users, N_SUBSETS) int32."""
    by_item: Array
    """(n_items, N_SUBSETS) int32."""
    n_dropped: int
    """Validation and test rows left out because their user or item has no train row."""


def index_ids(ids: Array) -> IdIndex:
    """Index these ids: (n,) int32, ascending."""
    ids = np.array(ids)
    largest = int(ids[-1]) if len(ids) else 0
    if largest > _MAX_DENSE_ID:
        return IdIndex(ids, np.empty(0, np.int32))
    lookup = np.full(largest + 2, ABSENT, np.int32)
    lookup[ids] = np.arange(len(ids), dtype=np.int32)
    return IdIndex(ids, lookup)


def scan_selected(
    catalog: Catalog,
    selection: Selection,
    threads: int,
    then: Callable[[SelectedRows], Result],
    *,
    columns: Collection[str] = (),
) -> Iterator[Result]:
    """Yield then(rows) for each row group, in order; `then` runs in worker threads.

    Args:
        catalog: the store.
        selection: what to take.
        threads: row groups in work at a time.
        then: what to do with the selected rows of a row group; they hold until it returns.
        columns: which of RATING, DATE and SECOND to read besides the ids and what the rule needs.

    Raises:
        StoreError: the store's counts do not add up to its rows.
    """
    order = _scan_order(catalog, selection)
    scale = catalog.manifest.scale
    codes = Codes.of_scale(scale)
    packing = Packing.for_counts(
        len(selection.users.ids), len(selection.items.ids), len(scale.values)
    )
    others = selection.items if order.by_user else selection.users
    other_id = ITEM_ID if order.by_user else USER_ID
    with_days = selection.rule.reads_days or DATE in columns
    with_seconds = selection.rule.reads_seconds or SECOND in columns
    with_ratings = RATING in columns
    optional = {DATE: with_days, SECOND: with_seconds, RATING: with_ratings}
    names = [other_id, *(name for name, is_read in optional.items() if is_read)]
    workspace = Workspace()

    def select(group: _RowGroup) -> Result:
        with pq.ParquetFile(group.path, metadata=group.metadata) as file:
            table = file.read_row_group(group.number, columns=names, use_threads=False)
        (batch,) = table.to_batches()
        n = batch.num_rows
        inputs = [
            _column(batch, other_id),
            _column(batch, DATE) if with_days else np.empty(0, np.int32),
            _column(batch, SECOND) if with_seconds else np.empty(0, np.int32),
            _column(batch, RATING) if with_ratings else np.empty(0, np.float32),
        ]
        for column in inputs:
            column.setflags(write=False)  # always, so that the kernel is compiled for one type
        run_id = workspace.array("run_id", n, np.int32)
        other = workspace.array("other", n, np.int32)
        pair = workspace.array("pair", n, np.int64)
        day = workspace.array("day", len(inputs[1]), np.int32)
        second = workspace.array("second", len(inputs[2]), np.int32)
        subset = workspace.array("subset", n, np.uint8)
        n_kept, n_dropped = select_rows(
            order.runs(group.start, group.start + n), *inputs, others, codes, packing,
            selection.rule, order.by_user, (run_id, other, pair, day, second, subset),
        )  # fmt: skip
        return then(
            SelectedRows(
                pair[:n_kept], packing, day[:n_kept], second[:n_kept], subset[:n_kept], n, n_dropped
            )
        )

    return map_in_order(select, order.row_groups(), threads, n_ahead=threads)


def count_subsets(
    catalog: Catalog, selection: Selection, budget: Budget, progress: Progress, task: str
) -> Counts:
    """Count the rows in each subset of each user and item, in one scan."""
    by_user = np.zeros((len(selection.users.ids), N_SUBSETS), np.int32)
    by_item = np.zeros((len(selection.items.ids), N_SUBSETS), np.int32)
    n_dropped = 0
    for rows in scan_ratings(catalog, selection, budget, progress, task):
        count_rows(by_user, by_item, rows.pair, rows.packing, rows.subset)
        n_dropped += rows.n_dropped
    return Counts(by_user, by_item, n_dropped)


def scan_ratings(
    catalog: Catalog,
    selection: Selection,
    budget: Budget,
    progress: Progress,
    task: str,
    *,
    columns: Collection[str] = (),
) -> Iterator[SelectedRows]:
    """Yield the selected rows of a store, a row group at a time, and report the progress."""
    progress.start(task, catalog.manifest.n_ratings, "ratings")
    threads = budget.threads
    for rows in scan_selected(catalog, selection, threads, SelectedRows.copy, columns=columns):
        yield rows
        progress.advance(rows.n_read, rows.n_read)


def _column(batch: pa.RecordBatch, name: str) -> Array:
    """A column as an array, days since FIRST_DATE; Arrow's own `to_numpy` would load pandas."""
    column = batch[name]
    if name == DATE:
        days: Array = np.asarray(np.from_dlpack(column.view(pa.int32())))
        return days + np.int32(EPOCH_DAY)
    return np.from_dlpack(column)


class _RowGroup(NamedTuple):
    """One row group of a store's ratings in one sort order."""

    path: Path
    metadata: pq.FileMetaData
    """Of the file, so that it is parsed once."""
    number: int
    """In its file."""
    start: int
    """Rows before it."""


class _ScanOrder(NamedTuple):
    """The ratings of a store, sorted by user or by item, and where the rows of each are."""

    parts: list[Path]
    by_user: bool
    ids: Array
    """(n,) int32, ascending: all users, or all items."""
    indices: Array
    """(n,) int32: their dense indices, ABSENT for those that do not take part."""
    ends: Array
    """(n,) int64: where their rows end."""

    def runs(self, start: int, stop: int) -> tuple[Array, Array, Array]:
        """The runs of the rows from `start` to `stop`, exclusive, as select_rows takes them."""
        first = np.searchsorted(self.ends, start, side="right")
        last = np.searchsorted(self.ends, stop, side="left") + 1
        some = slice(first, last)
        ends = np.minimum(self.ends[some], stop) - start
        return self.indices[some], self.ids[some], ends

    def row_groups(self) -> Iterator[_RowGroup]:
        """All row groups, in order."""
        start = 0
        for path in self.parts:
            metadata = pq.read_metadata(path)
            for number in range(metadata.num_row_groups):
                yield _RowGroup(path, metadata, number, start)
                start += metadata.row_group(number).num_rows
        if start != self.ends[-1]:
            raise StoreError(
                f"{self.parts[0].parent} holds {start:,} rows where the counts of "
                f"{'users' if self.by_user else 'items'} add up to {self.ends[-1]:,}",
                hint="the store is damaged: ingest the raw files again with --overwrite",
            )


def _scan_order(catalog: Catalog, selection: Selection) -> _ScanOrder:
    layout = catalog.layout
    parts = layout.parts(layout.ratings_by_user)
    by_user = bool(parts)
    if by_user:
        frame, name, chosen = catalog.users(), USER_ID, selection.users
    else:
        parts = layout.parts(layout.ratings)
        frame, name, chosen = catalog.items(), ITEM_ID, selection.items
    table = frame.select(name, pl.col("n_ratings").cast(pl.Int64)).sort(name).collect()
    ids = table[name].to_numpy()
    index = np.full(len(ids), ABSENT, np.int32)
    index[np.searchsorted(ids, chosen.ids)] = np.arange(len(chosen.ids), dtype=np.int32)
    return _ScanOrder(parts, by_user, ids, index, np.cumsum(table["n_ratings"].to_numpy()))
