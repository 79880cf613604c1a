"""Fitting the neighbors: what they are sought among, and by which search."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import FitContext
from bigrec.models.knn.kernels import BaseLevels, Sparse, sparse, sum_ratings
from bigrec.models.knn.profiles import profile_columns, profile_rows
from bigrec.models.knn.rule import NeighborRule
from bigrec.models.knn.scorer import NeighborLists, NeighborScorer
from bigrec.models.knn.search import (
    check_memory,
    column_search_needs,
    find_column_neighbors,
    find_row_neighbors,
    row_search_needs,
    tiles_are_cheaper,
)
from bigrec.models.knn.tiled_search import Multiply
from bigrec.resources import format_bytes
from bigrec.rows import DataSpec, Rows

if TYPE_CHECKING:
    from bigrec.models.knn.model import CosineKnnOptions

Array = np.ndarray[Any, Any]

_PROGRAM_BYTES: Final = 256 << 20
"""Python with the libraries that it takes, before any data."""


def fit_neighbors(context: FitContext, multiply: Multiply | None = None) -> NeighborScorer:
    """Find all neighbors.

    Args:
        context: what they are found in. Progress is told of users (of items) done, and of the
            memory that it takes.
        multiply: computes the tiles of a search among users; by default TensorFlow on a GPU,
            and elsewhere BLAS.

    Raises:
        ResourceError: the search does not fit the budget.
        RunError: the checkpoint is damaged, or of another search.
    """
    rows, spec, biases = context.rows, context.spec, context.biases
    options: CosineKnnOptions = context.options
    budget, progress = context.budget, context.progress
    if multiply is None and context.on_gpu:
        from bigrec.models.knn.gpu_product import tensorflow_product

        multiply = tensorflow_product
    ratings = sparse(rows.indptr, rows.column, biases.less_days(rows))
    of_users = options.basis == "user"
    n_lists, unit = (spec.n_users, "users") if of_users else (spec.n_items, "items")
    needs = estimate_memory(rows, spec, options, biases)
    check_memory(f"neighbors of {n_lists:,} {unit} by {rows.n_ratings:,} ratings", needs, budget)
    memory = format_bytes(sum(needs.values()))
    progress.start(f"finding neighbors, in about {memory}", n_lists, unit)
    levels = count_from(ratings, spec, options, biases)
    terms: dict[str, Any] = {
        "filled": options.filled, "support": options.support, "co_rating": options.co_rating
    }  # fmt: skip
    how: dict[str, Any] = {
        "budget": budget, "progress": progress.advance, "checkpoint": context.checkpoint
    }  # fmt: skip
    k = _list_length(options, spec)
    if of_users:
        profiles = profile_rows(ratings, levels, **terms)
        found = find_row_neighbors(profiles, k, multiply=multiply, **how)
    else:
        found = find_column_neighbors(profile_columns(ratings, levels, **terms), k, **how)
    lists = NeighborLists(
        found.index, found.similarity.astype(np.float32),
        levels.row.astype(np.float32), levels.column.astype(np.float32),
    )  # fmt: skip
    return NeighborScorer(lists, NeighborRule.of(asdict(options)), rows, spec, biases)


def estimate_memory(
    rows: Rows, spec: DataSpec, options: CosineKnnOptions, biases: Biases
) -> dict[str, int]:
    """What `fit_neighbors` takes at most, in bytes by what for."""
    k = _list_length(options, spec)
    if options.basis == "user":
        counts = biases.item_count
        search = row_search_needs(
            spec.n_users, counts, k, tiled=tiles_are_cheaper(spec.n_users, counts),
            needs_counts=options.support > 0 or options.co_rating > 0,
        )  # fmt: skip
    else:
        search = column_search_needs(biases.item_count, k)
    search["lists"] += 4 * search["lists"] // 12  # the similarities in float32, to be kept
    return {**search, "the ratings": 8 * rows.n_ratings, "the program": _PROGRAM_BYTES}


def count_from(
    ratings: Sparse, spec: DataSpec, options: CosineKnnOptions, biases: Biases
) -> BaseLevels:
    """What ratings are counted from, users as rows: levels.row[u] + levels.column[m], in stars.

    The overall mean goes with the basis: it is in levels.row for users, in levels.column for items.
    """
    by_user = options.basis == "user"
    if options.deviation == "mean":
        user, item = np.zeros(spec.n_users), np.zeros(spec.n_items)
        sum_ratings(ratings, user, item)
        total, count = (user, biases.user_count) if by_user else (item, biases.item_count)
        np.divide(total, count, out=total, where=count > 0)
        total[count == 0] = spec.mean_rating
        return BaseLevels(user, np.zeros(spec.n_items)) if by_user else BaseLevels(
            np.zeros(spec.n_users), item
        )  # fmt: skip
    user, item = biases.user.astype(np.float64), biases.item.astype(np.float64)
    return (
        BaseLevels(user + spec.mean_rating, item)
        if by_user
        else BaseLevels(user, item + spec.mean_rating)
    )


def _list_length(options: CosineKnnOptions, spec: DataSpec) -> int:
    n_lists = spec.n_users if options.basis == "user" else spec.n_items
    return max(min(max(options.neighbors, options.candidates), n_lists - 1), 1)
