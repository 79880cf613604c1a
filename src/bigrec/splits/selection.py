"""Which rows of a store a split takes, and on which side each one is.

The same rule in two forms: Polars expressions for lazy frames, and arrays for the counting and
materializing scans, where ids become dense indices on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from bigrec.resources import map_in_order
from bigrec.schema import MOVIE_ID, RATING, USER_ID
from bigrec.splits.random_key import random_key, threshold
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

ABSENT: Final = -1
_MAX_DENSE_ID = 1 << 26


@dataclass(frozen=True)
class IdIndex:
    """Dense, zero-based indices of some ids, in ascending order of ids."""

    ids: Array
    """(n,) int32, ascending: the id of each index."""
    lookup: Array
    """(max_id + 2,) int32: index of each id or ABSENT; empty where ids are too large for that."""

    @classmethod
    def of(cls, ids: Array) -> IdIndex:
        """Index these ids, ascending int32."""
        largest = int(ids[-1]) if len(ids) else 0
        if largest > _MAX_DENSE_ID:
            return cls(ids, np.empty(0, np.int32))
        lookup = np.full(largest + 2, ABSENT, np.int32)
        lookup[ids] = np.arange(len(ids), dtype=np.int32)
        return cls(ids, lookup)

    def find(self, ids: Array) -> Array:
        """The index of each id, ABSENT for unknown ones: (n,) int32."""
        if len(self.lookup):
            return self.lookup[np.minimum(ids, len(self.lookup) - 1)]
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        return np.where(self.ids[places] == ids, places, ABSENT).astype(np.int32)


@dataclass(frozen=True)
class SelectedRows:
    """The rows of one part that a split takes."""

    user_index: Array
    """(n,) int32."""
    movie_index: Array
    """(n,) int32."""
    rating: Array
    """(n,) float32, stars."""
    key: Array
    """(n,) int64, the random key of each row."""
    is_test: Array
    """(n,) bool."""


def frequent_ids(frame: pl.LazyFrame, column: str, min_ratings: int) -> Array:
    """Ids, ascending int32, with more than min_ratings ratings by the stored counts."""
    kept = frame.filter(pl.col("n_ratings") > min_ratings).select(pl.col(column).sort())
    ids: Array = kept.collect().to_series().to_numpy()
    return ids


def lazy_side(catalog: Catalog, spec: SplitSpec, *, test: bool) -> pl.LazyFrame:
    """One side of a split as a lazy frame over the store, with the columns of ratings."""
    movies = catalog.movies().filter(pl.col("n_ratings") > spec.min_movie_ratings)
    users = catalog.users().filter(pl.col("n_ratings") > spec.min_user_ratings)
    key = random_key(pl.col(USER_ID).cast(pl.Int64), pl.col(MOVIE_ID).cast(pl.Int64), spec.seed)
    is_test = key < threshold(spec.test_fraction)
    frame = catalog.ratings()
    if spec.min_movie_ratings:
        frame = frame.join(movies.select(MOVIE_ID), on=MOVIE_ID, how="semi")
    if spec.min_user_ratings:
        frame = frame.join(users.select(USER_ID), on=USER_ID, how="semi")
    return frame.filter(is_test if test else ~is_test)


def scan_selected(
    parts: list[Path], users: IdIndex, movies: IdIndex, spec: SplitSpec, threads: int
) -> Iterator[SelectedRows]:
    """Read row groups in order and yield the rows of each that the split takes.

    Args:
        parts: Parquet parts of a store, in sort order.
        users: the users that take part.
        movies: the movies that take part.
        spec: the split.
        threads: row groups in work at a time.
    """
    bound = threshold(spec.test_fraction)

    def select(group: tuple[Path, int]) -> SelectedRows:
        path, number = group
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(
                number, columns=[USER_ID, MOVIE_ID, RATING], use_threads=False
            )
        user_id, movie_id = (table[c].to_numpy() for c in (USER_ID, MOVIE_ID))
        user_index, movie_index = users.find(user_id), movies.find(movie_id)
        rows = np.flatnonzero((user_index >= 0) & (movie_index >= 0))
        key = _keys(user_id, movie_id, rows, spec.seed)
        return SelectedRows(
            user_index[rows], movie_index[rows], table[RATING].to_numpy()[rows], key, key < bound
        )

    return map_in_order(select, _row_groups(parts), threads)


def _row_groups(parts: list[Path]) -> Iterator[tuple[Path, int]]:
    for path in parts:
        with pq.ParquetFile(path) as file:
            n_groups = file.num_row_groups
        yield from ((path, number) for number in range(n_groups))


_compiled_key = numba.njit(nogil=True, cache=True)(random_key)


@numba.njit(nogil=True, cache=True)
def _keys(user_id, movie_id, rows, seed):  # type: ignore[no-untyped-def]
    keys = np.empty(len(rows), np.int64)
    for place in range(len(rows)):
        row = rows[place]
        keys[place] = _compiled_key(np.int64(user_id[row]), np.int64(movie_id[row]), seed)
    return keys
