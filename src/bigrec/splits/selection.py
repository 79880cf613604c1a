"""Scanning a store for the rows of a split: dense indices, sides, counts; a row group at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.resources import Budget, Progress, map_in_order
from bigrec.schema import DATE, MOVIE_ID, RATING, USER_ID
from bigrec.splits.kernels import ABSENT, N_SIDES, IdIndex, Rule, count_rows, select_rows
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]
Result = TypeVar("Result")

_MAX_DENSE_ID: Final = 1 << 26


@dataclass(frozen=True)
class Selection:
    """What a split takes of a store."""

    users: IdIndex
    """The users that take part."""
    movies: IdIndex
    """The movies that take part."""
    rule: Rule
    """On which side a row is."""


@dataclass(frozen=True)
class SelectedRows:
    """The rows of one row group that a split takes."""

    user_index: Array
    """(n,) int32."""
    movie_index: Array
    """(n,) int32."""
    day: Array
    """(n,) int32, days since 1970; meaningless where no days were read."""
    stars: Array
    """(n,) int32, the bits of float32 ratings; meaningless where no ratings were read."""
    side: Array
    """(n,) uint8: TRAIN, VALIDATION or TEST."""
    n_read: int
    """Rows of the row group."""
    n_dropped: int
    """Validation and test rows left out because their user or movie has no train row."""


@dataclass(frozen=True)
class Counts:
    """Rows of a selection."""

    by_user: Array
    """(n_users, N_SIDES) int32."""
    by_movie: Array
    """(n_movies, N_SIDES) int32."""
    n_dropped: int
    """Validation and test rows left out because their user or movie has no train row."""


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
    parts: list[Path],
    selection: Selection,
    threads: int,
    then: Callable[[SelectedRows], Result],
    *,
    columns: Collection[str] = (),
) -> Iterator[Result]:
    """Yield then(rows) for each row group, in order; select and `then` run in worker threads.

    Args:
        parts: Parquet parts of a store, in sort order.
        selection: what to take.
        threads: row groups in work at a time.
        then: what to do with the selected rows of a row group.
        columns: which of RATING and DATE to read besides the ids and what the rule needs.
    """
    with_days = selection.rule.reads_days or DATE in columns
    names = [USER_ID, MOVIE_ID, *([DATE] if with_days else []), *({RATING} & set(columns))]

    def select(group: tuple[Path, int]) -> Result:
        path, number = group
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(number, columns=names, use_threads=False)
        n = table.num_rows
        inputs = [
            table[USER_ID].to_numpy(),
            table[MOVIE_ID].to_numpy(),
            table[DATE].cast(pa.int32()).to_numpy() if with_days else np.empty(0, np.int32),
            table[RATING].to_numpy().view(np.int32) if RATING in columns else np.empty(0, np.int32),
        ]
        for column in inputs:
            column.setflags(write=False)  # always, so that the kernel is compiled for one type
        out = (*(np.empty(len(column), np.int32) for column in inputs), np.empty(n, np.uint8))
        n_taken, n_dropped = select_rows(
            *inputs, selection.users, selection.movies, selection.rule, out
        )
        user_index, movie_index, day, stars, side = (column[:n_taken] for column in out)
        return then(SelectedRows(user_index, movie_index, day, stars, side, n, n_dropped))

    return map_in_order(select, _row_groups(parts), threads)


def count_sides(
    catalog: Catalog, selection: Selection, budget: Budget, progress: Progress, task: str
) -> Counts:
    """Count the rows on each side of each user and movie, in one scan."""
    by_user = np.zeros((len(selection.users.ids), N_SIDES), np.int32)
    by_movie = np.zeros((len(selection.movies.ids), N_SIDES), np.int32)
    n_dropped = 0
    for rows in scan_ratings(catalog, selection, budget, progress, task):
        count_rows(by_user, by_movie, rows.user_index, rows.movie_index, rows.side)
        n_dropped += rows.n_dropped
    return Counts(by_user, by_movie, n_dropped)


def scan_ratings(
    catalog: Catalog,
    selection: Selection,
    budget: Budget,
    progress: Progress,
    task: str,
    *,
    columns: Collection[str] = (),
) -> Iterator[SelectedRows]:
    """Yield the selected rows of a store, a row group at a time, and report the progress.

    The order by user is preferred: there the greater one of the two lookup tables is read in order.
    """
    progress.start(task, catalog.manifest.n_ratings, "ratings")
    layout = catalog.layout
    parts = layout.parts(layout.ratings_by_user) or layout.parts(layout.ratings)
    for rows in scan_selected(parts, selection, budget.threads, lambda rows: rows, columns=columns):
        yield rows
        progress.advance(rows.n_read, rows.n_read)


def _row_groups(parts: list[Path]) -> Iterator[tuple[Path, int]]:
    for path in parts:
        with pq.ParquetFile(path) as file:
            n_groups = file.num_row_groups
        yield from ((path, number) for number in range(n_groups))
