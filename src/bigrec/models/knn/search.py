"""Exact nearest neighbors among sparse rows of ratings: users over items, or items over users.

Rows may be filled with their mean m_u before cosines are taken. With x_u = m_u · 1 + d_u, where d_u
is zero off the ratings and sums to zero over them,

    x_u · x_v = M m_u m_v + d_u · d_v   and   |x_u|² = M m_u² + |d_u|²,

so the cosines of filled rows come exactly from sparse deviations. In general

    s(u, v) = (a_u a_v + c_u c_v d_u · d_v) n / (n + support) + co_rating φ(u, v)

with c_u = 1/|x_u|, a_u = √M m_u / |x_u| (0 if rows are not filled), n the number of columns that
both have rated, and φ the correlation, over all M columns, of having rated at all: what people
watch says as much about likeness as how they rate it, and it is known from the same n.

There are two ways through all pairs, chosen by their cost, with the same lists to the last bit:

- tiles: dense float32 products of deviations, through BLAS (or TensorFlow on a GPU), half of all
  tiles by symmetry. An error bound picks the pairs that could matter, and only those are computed
  in float64: cosines of filled rows differ in digits that float32 does not have.
- sparse products: for each rating of a row, add up the column's other ratings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from bigrec.errors import ResourceError
from bigrec.models.contract import Checkpoint
from bigrec.models.knn.kernels import (
    Sparse,
    count_columns,
    select_from_products,
    sparse,
    transpose,
)
from bigrec.models.knn.profiles import Neighbors, Profiles
from bigrec.models.knn.search_progress import SearchProgress
from bigrec.models.knn.tiled_search import (
    Multiply,
    blas_product,
    search_all,
    search_for,
    tile_bytes,
)
from bigrec.resources import Budget, format_bytes, pool

Array = np.ndarray[Any, Any]

_BLOCK_RATINGS: Final = 1 << 24
_PART_ROWS: Final = 64
_DENSE_GAIN: Final = 50
"""How many multiply-adds BLAS does while the sparse product does one."""


def find_row_neighbors(
    profiles: Profiles,
    k: int,
    *,
    multiply: Multiply | None = None,
    budget: Budget | None = None,
    progress: Callable[[int], object] = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> Neighbors:
    """The k nearest neighbors of every row, by whichever way is cheaper.

    Args:
        profiles: from `profile_rows`.
        k: neighbors to keep.
        multiply: computes tiles; by default BLAS. Giving it insists on tiles.
        budget: threads, and the memory that the search may take.
        progress: called with the number of rows done.
        checkpoint: where the search is saved now and then, and continued from.

    Raises:
        ResourceError: the search does not fit the budget.
    """
    budget = budget or Budget()
    n, m = profiles.n_rows, len(profiles.levels.column)
    counts = count_columns(profiles.ratings, m)
    tiled = multiply is not None or tiles_are_cheaper(n, counts)
    needs = row_search_needs(n, counts, k, tiled=tiled, needs_counts=profiles.needs_counts)
    check_memory(f"neighbors of {n:,} rows over {m:,} columns", needs, budget)
    with _open_progress(profiles, k, checkpoint) as state:
        if tiled:
            search_all(
                profiles, state, multiply=multiply or blas_product, threads=budget.threads,
                progress=progress,
            )  # fmt: skip
        else:
            by_column = _transpose(profiles.ratings, 0, counts)
            ends = profiles.ratings.indptr

            def rows(first: int, last: int) -> Sparse:
                return sparse(ends[first : last + 1], *profiles.ratings[1:])

            _search_products(profiles, rows, by_column, ends, state, budget.threads, progress)
    return Neighbors(state.index, state.similarity)


def find_column_neighbors(
    profiles: Profiles,
    k: int,
    *,
    budget: Budget | None = None,
    progress: Callable[[int], object] = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> Neighbors:
    """The k nearest neighbors of every column, by sparse products over the rows.

    Never more than a block of columns is held by column, and one vector of products a thread.

    Args:
        profiles: from `profile_columns`.
        k, budget, progress, checkpoint: as for `find_row_neighbors`.

    Raises:
        ResourceError: the search does not fit the budget.
    """
    budget = budget or Budget()
    n = profiles.n_rows
    ends = np.concatenate(([0], np.cumsum(profiles.norms.length)))
    needs = column_search_needs(profiles.norms.length, k)
    check_memory(f"neighbors of {n:,} columns", needs, budget)

    def columns(first: int, last: int) -> Sparse:
        return _transpose(profiles.ratings, first, profiles.norms.length[first:last])

    with _open_progress(profiles, k, checkpoint) as state:
        _search_products(profiles, columns, profiles.ratings, ends, state, budget.threads, progress)
    return Neighbors(state.index, state.similarity)


def find_neighbors_of(
    targets: Profiles, others: Profiles, k: int, *, budget: Budget | None = None
) -> Neighbors:
    """The k nearest of `others` to each target: for a chosen list, or for rows that are new.

    It takes one pass over the others and then time in proportion to the targets. A target that is
    itself among the others finds itself.

    Args:
        targets: `others.take(rows)`, or `profile_rows` of new rows with the others' n_columns.
        others: from `profile_rows`.
        k: neighbors to keep.
        budget: threads.
    """
    found = Neighbors(np.full((targets.n_rows, k), -1, np.int32), np.zeros((targets.n_rows, k)))
    search_for(targets, others, found, threads=(budget or Budget()).threads)
    return found


def row_search_needs(
    n: int, counts: Array, k: int, *, tiled: bool, needs_counts: bool
) -> dict[str, int]:
    """What `find_row_neighbors` takes, in bytes by what for.

    Args:
        n: rows.
        counts: ratings of each column.
        k: neighbors to keep.
        tiled: whether it goes by tiles.
        needs_counts: see Profiles.
    """
    if tiled:
        return {"lists": 12 * n * k, "tiles": tile_bytes(n, len(counts), needs_counts)}
    return {"lists": 12 * n * k, "ratings by column": 8 * int(counts.sum())}


def column_search_needs(lengths: Array, k: int) -> dict[str, int]:
    """What `find_column_neighbors` takes, in bytes by what for.

    Args:
        lengths: ratings of each column.
        k: neighbors to keep.
    """
    n_ratings = int(lengths.sum())
    longest = int(lengths.max(initial=0))
    block = 8 * min(_BLOCK_RATINGS + longest, n_ratings)
    return {"lists": 12 * len(lengths) * k, "a block of columns": block}


def check_memory(task: str, needs: dict[str, int], budget: Budget) -> None:
    """Refuse a task that does not fit.

    Args:
        task: in words, plural.
        needs: bytes by what they are for.
        budget: what there is.

    Raises:
        ResourceError: the sum is above the budget.
    """
    total = sum(needs.values())
    if total > budget.memory_bytes:
        parts = ", ".join(f"{format_bytes(size)} for {name}" for name, size in needs.items())
        raise ResourceError(
            f"{task} need {format_bytes(total)} ({parts}), the budget is "
            f"{format_bytes(budget.memory_bytes)}",
            hint=f"give at least --memory {-(-total >> 20) + 1}MiB, or keep fewer neighbors",
        )


def tiles_are_cheaper(n: int, counts: Array) -> bool:
    """Whether tiles find the neighbors of n rows sooner than sparse products.

    Args:
        n: rows.
        counts: ratings of each column.
    """
    squares = counts.astype(np.float64)
    return n * n * len(counts) / 2 < _DENSE_GAIN * float(squares @ squares)


def _open_progress(profiles: Profiles, k: int, checkpoint: Checkpoint | None) -> SearchProgress:
    made_from = (*profiles.levels, *profiles.norms, np.array(profiles.terms))
    return SearchProgress(profiles.n_rows, k, made_from, checkpoint)


def _search_products(
    profiles: Profiles, rows_between: Callable[[int, int], Sparse], by_column: Sparse,
    ends: Array, state: SearchProgress, threads: int, progress: Callable[[int], object],
) -> None:  # fmt: skip
    """Fill the lists of all rows, a block at a time. A unit of the state is a row."""
    # A state is saved while rows beyond its own are under way.
    state.index[state.n_done :], state.similarity[state.n_done :] = -1, 0
    progress(state.n_done)
    workers = pool(threads)
    try:
        for first, last in _blocks(ends):
            if last <= state.n_done:
                continue
            block = rows_between(first, last)

            def select(part: range, block: Sparse = block, first: int = first) -> None:
                select_from_products(
                    block, first, part.start - first, part.stop - first, by_column,
                    profiles.levels, profiles.norms, profiles.terms, state.index, state.similarity,
                )  # fmt: skip

            # Many small parts, so that no thread waits for one with the popular rows.
            starts = range(max(first, state.n_done), last, _PART_ROWS)
            parts = [range(start, min(start + _PART_ROWS, last)) for start in starts]
            for part, _ in zip(parts, workers.map(select, parts), strict=True):
                state.finish(part.stop)
                progress(len(part))
    finally:
        workers.shutdown(cancel_futures=True)


def _blocks(ends: Array) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks of about _BLOCK_RATINGS ratings."""
    n = len(ends) - 1
    wanted = np.arange(ends[0], ends[-1], _BLOCK_RATINGS)[1:]
    cuts = np.unique(np.concatenate(([0], np.searchsorted(ends, wanted), [n])))
    return itertools.pairwise(cuts.tolist())


def _transpose(ratings: Sparse, first: int, lengths: Array) -> Sparse:
    """The columns from `first` on as rows of these lengths."""
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    column = np.empty(indptr[-1], np.int32)
    rating = np.empty(indptr[-1], np.float32)
    transpose(ratings, first, indptr, column, rating)
    return sparse(indptr, column, rating)
