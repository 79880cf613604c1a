"""Nearest neighbours by cosine similarity, of users or of items.

The notebook preset is the notebook's engine: rows filled with the user's mean, cosines of all
users, ratings averaged over the hundred most similar, whether they saw the item or not. Its
settings can be changed one by one into the tuned preset, which compares items by what the bias
model leaves over, and by who has rated them at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from bigrec.features import BatchSpec, UserRows
from bigrec.models.baseline.bias import Biases
from bigrec.models.knn.kernels import Sides, Sparse, sparse, sum_ratings
from bigrec.models.knn.profiles import profile_columns, profile_rows
from bigrec.models.knn.scorer import NeighbourLists, NeighbourRule, NeighbourScorer
from bigrec.models.knn.search import (
    check_memory,
    column_search_needs,
    find_column_neighbours,
    find_row_neighbours,
    row_search_needs,
    tiles_are_cheaper,
)
from bigrec.models.knn.search_progress import SearchCheckpoint
from bigrec.models.knn.tiled_search import Multiply
from bigrec.models.options import ModelOptions, bounded, choice
from bigrec.resources import SILENT, Budget, Progress, format_bytes

Array = np.ndarray[Any, Any]

_PROGRAM_BYTES: Final = 256 << 20
"""Python with the libraries that it takes, before any data."""


@dataclass(frozen=True)
class CosineKnnOptions(ModelOptions):
    """Hyper-parameters of the neighbours; the defaults are the notebook's."""

    basis: str = choice("user", "user", "item")
    """Whose neighbours are sought: users near the user, or items near the item."""
    neighbors: int = bounded(100, 1)
    """Neighbours that a score is made from."""
    candidates: int = bounded(0, 0)
    """Neighbours kept, of which a score takes the first that it can use; at least neighbors."""
    deviation: str = choice("mean", "mean", "biases")
    """What a rating is counted from: the mean of the user (of the item), or the bias model."""
    filled: bool = True
    """Whether rows are filled with their mean before cosines are taken."""
    support: float = bounded(0.0, 0)
    """Common ratings at which a cosine counts half; 0 takes every cosine as it is."""
    co_rating: float = bounded(0.0, 0, 1e6)
    """Weight of the correlation of having been rated at all, added to the cosine."""
    own_level: bool = False
    """Whether neighbours add their deviations to the target's own level, not their ratings."""
    only_raters: bool = False
    """Whether only neighbours with a rating count."""
    power: float = bounded(1.0, 0, 100)
    """Exponent that turns a similarity into a weight."""
    shrinkage: float = bounded(0.0, 0)
    """Added to the sum of weights, so that few or weak neighbours say little."""


PRESETS: Final = {
    "notebook": CosineKnnOptions(),
    "tuned": CosineKnnOptions(
        basis="item", neighbors=30, candidates=1000, deviation="biases", filled=False,
        support=20.0, co_rating=0.5, own_level=True, only_raters=True, power=2.0, shrinkage=0.03,
    ),
}  # fmt: skip


def fit(
    rows: UserRows,
    spec: BatchSpec,
    options: CosineKnnOptions,
    biases: Biases,
    progress: Progress = SILENT,
    *,
    budget: Budget | None = None,
    checkpoint: SearchCheckpoint | None = None,
    multiply: Multiply | None = None,
) -> NeighbourScorer:
    """Find all neighbours.

    Args:
        rows: the train side.
        spec: sizes and scale.
        options: see CosineKnnOptions.
        biases: the fitted bias model.
        progress: told of users (of items) done, and of the memory that it takes.
        budget: threads, and the memory that there is.
        checkpoint: where the search is saved now and then, and continued from after a kill.
        multiply: computes the tiles of a search among users; by default BLAS.

    Raises:
        ResourceError: the search does not fit the budget.
        RunError: the checkpoint is damaged, or of another search.
    """
    budget = budget or Budget()
    ratings = sparse(rows.indptr, rows.item_index, biases.less_days(rows))
    of_users = options.basis == "user"
    n_lists, unit = (spec.n_users, "users") if of_users else (spec.n_items, "items")
    needs = estimate_memory(rows, spec, options, biases)
    check_memory(f"neighbours of {n_lists:,} {unit} by {rows.n_rows:,} ratings", needs, budget)
    memory = format_bytes(sum(needs.values()))
    progress.start(f"finding neighbours, in about {memory}", n_lists, unit)
    sides = count_from(ratings, spec, options, biases)
    terms: dict[str, Any] = {
        "filled": options.filled, "support": options.support, "co_rating": options.co_rating
    }  # fmt: skip
    how: dict[str, Any] = {
        "budget": budget, "progress": progress.advance, "checkpoint": checkpoint
    }  # fmt: skip
    k = _list_length(options, spec)
    if of_users:
        profiles = profile_rows(ratings, sides, **terms)
        found = find_row_neighbours(profiles, k, multiply=multiply, **how)
    else:
        found = find_column_neighbours(profile_columns(ratings, sides, **terms), k, **how)
    lists = NeighbourLists(
        found.index, found.similarity.astype(np.float32),
        sides.row.astype(np.float32), sides.column.astype(np.float32),
    )  # fmt: skip
    return NeighbourScorer(lists, NeighbourRule.of(asdict(options)), rows, spec, biases)


def estimate_memory(
    rows: UserRows, spec: BatchSpec, options: CosineKnnOptions, biases: Biases
) -> dict[str, int]:
    """What `fit` takes at most, in bytes by what for; the arguments are its own."""
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
    return {**search, "the ratings": 8 * rows.n_rows, "the program": _PROGRAM_BYTES}


def represent(scorer: NeighbourScorer) -> dict[str, Array]:
    """The arrays that a run keeps, by name: those of NeighbourLists."""
    return {field.name: getattr(scorer.lists, field.name) for field in fields(NeighbourLists)}


def count_from(
    ratings: Sparse, spec: BatchSpec, options: CosineKnnOptions, biases: Biases
) -> Sides:
    """What ratings are counted from, users as rows: sides.row[u] + sides.column[m], in stars.

    The overall mean goes with the basis: it is in sides.row for users, in sides.column for items.
    """
    by_user = options.basis == "user"
    if options.deviation == "mean":
        user, item = np.zeros(spec.n_users), np.zeros(spec.n_items)
        sum_ratings(ratings, user, item)
        total, count = (user, biases.user_count) if by_user else (item, biases.item_count)
        np.divide(total, count, out=total, where=count > 0)
        total[count == 0] = spec.mean_rating
        return Sides(user, np.zeros(spec.n_items)) if by_user else Sides(
            np.zeros(spec.n_users), item
        )  # fmt: skip
    user, item = biases.user.astype(np.float64), biases.item.astype(np.float64)
    return Sides(user + spec.mean_rating, item) if by_user else Sides(user, item + spec.mean_rating)


def _list_length(options: CosineKnnOptions, spec: BatchSpec) -> int:
    n_lists = spec.n_users if options.basis == "user" else spec.n_items
    return max(min(max(options.neighbors, options.candidates), n_lists - 1), 1)
