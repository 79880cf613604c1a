"""Nearest neighbours by cosine similarity, of users or of movies.

The notebook preset is the notebook's engine: rows filled with the user's mean, cosines of all
users, ratings averaged over the hundred most similar, whether they saw the movie or not. Its
settings can be changed one by one into the tuned preset, which compares movies by what the bias
model leaves over, and by who has rated them at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from bigrec.errors import RunError
from bigrec.features import MOVIE_INDEX, USER_INDEX, BatchSpec, UserRows
from bigrec.models.bias import Biases
from bigrec.models.neighbour_kernels import Sides, sparse
from bigrec.models.neighbour_scores import NeighbourRule, NeighbourScorer, NeighbourScores
from bigrec.models.neighbours import check_memory, find_column_neighbours, find_row_neighbours
from bigrec.models.options import ModelOptions, bounded, choice
from bigrec.models.profiles import Neighbours, profile_columns, profile_rows
from bigrec.models.similarity import NEIGHBOUR_INDEX, NEIGHBOUR_SIMILARITY
from bigrec.models.tiled_search import Multiply
from bigrec.resources import Budget

Array = np.ndarray[Any, Any]

_SHOWN_NEIGHBOURS: Final = 200


@dataclass(frozen=True)
class CosineKnnOptions(ModelOptions):
    """Hyper-parameters of the neighbours; the defaults are the notebook's."""

    basis: str = choice("user", "user", "item")
    """Whose neighbours are sought: users near the user, or movies near the movie."""
    neighbors: int = bounded(100, 1)
    """Neighbours that a score is made from."""
    candidates: int = bounded(0, 0)
    """Neighbours kept, of which a score takes the first that it can use; at least neighbors."""
    deviation: str = choice("mean", "mean", "biases")
    """What a rating is counted from: the mean of the user (of the movie), or the bias model."""
    filled: bool = True
    """Whether rows are filled with their mean before cosines are taken."""
    support: float = bounded(0.0, 0)
    """Common ratings at which a cosine counts half; 0 takes every cosine as it is."""
    co_rating: float = bounded(0.0, 0)
    """Weight of the correlation of having been rated at all, added to the cosine."""
    own_level: bool = False
    """Whether neighbours add their deviations to the target's own level, not their ratings."""
    only_raters: bool = False
    """Whether only neighbours with a rating count."""
    power: float = bounded(1.0, 0)
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
    progress: Callable[[int], object] | None = None,
    *,
    budget: Budget | None = None,
    work: Path | None = None,
) -> keras.Model:
    """Find all neighbours and build the model that scores by them.

    Args:
        rows: the train side.
        spec: sizes and scale.
        options: see CosineKnnOptions.
        biases: the fitted bias model.
        progress: called with the number of users (of movies) done.
        budget: threads, and the memory that the search and the model may take.
        work: a folder where the search is saved now and then, and continued from after a kill.

    Returns:
        A Keras model: user_index, movie_index (batch,) int32 to scores (batch, 1) in stars.

    Raises:
        ResourceError: neighbours and model do not fit the budget.
    """
    budget = budget or Budget()
    k = _list_length(options, spec)
    n_lists = spec.n_users if options.basis == "user" else spec.n_movies
    needs = {
        "the model": 8 * (rows.n_rows + n_lists * k),
        "copies while it is filled": 4 * rows.n_rows + 12 * n_lists * k,
    }
    check_memory(f"{n_lists:,} lists of neighbours and {rows.n_rows:,} ratings", needs, budget)
    sides = count_from(rows, spec, options, biases)
    found = _find(rows, sides, options, k, progress or (lambda _: None), budget, work)
    rule = NeighbourRule(
        options.basis, options.neighbors, options.only_raters, options.own_level,
        options.shrinkage, options.power,
    )  # fmt: skip
    layer = NeighbourScores(
        spec.n_users, spec.n_movies, rows.n_rows, k, asdict(rule), name="neighbours"
    )
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    movie = keras.Input((), dtype="int32", name=MOVIE_INDEX)
    model = keras.Model([user, movie], layer(user, movie))
    layer.fill(rows, sides, found)
    return model


def represent(model: keras.Model) -> dict[str, Array]:
    """The heads of the movies' lists; nothing where the lists hold users."""
    layer = model.get_layer("neighbours")
    if layer.rule.basis != "item":
        return {}
    return {
        NEIGHBOUR_INDEX: np.asarray(layer.neighbour_index)[:, :_SHOWN_NEIGHBOURS],
        NEIGHBOUR_SIMILARITY: np.asarray(layer.similarity)[:, :_SHOWN_NEIGHBOURS],
    }


def fold_in(model: keras.Model, biases: Biases, movie_index: Array, rating: Array) -> Array:
    """Score every movie for a person who is not in the data, by the movies' lists.

    Args:
        model: fitted.
        biases: the bias model of the train side.
        movie_index: (n,) int32, the movies that the person has rated.
        rating: (n,) float32, stars.

    Returns:
        (n_movies,) float32 scores, unclipped.

    Raises:
        RunError: the lists hold users.
    """
    layer = model.get_layer("neighbours")
    if layer.rule.basis != "item":
        raise RunError(
            "this run knows the neighbours of its users, and none of a person who is not in the "
            "data",
            hint="train cosine-knn with --set basis=item, as its tuned preset does",
        )
    row = UserRows(np.array([0, len(rating)]), movie_index, rating)
    scorer = NeighbourScorer(layer, row)
    counts_from_biases = scorer.sides.row.any()
    level = biases.fold_in(movie_index, rating) if counts_from_biases else 0.0
    scorer.sides = Sides(np.array([level]), scorer.sides.column)  # the person is the one user
    return np.asarray(scorer.score_users(np.zeros(1, np.int64))[0])


def count_from(rows: UserRows, spec: BatchSpec, options: CosineKnnOptions, biases: Biases) -> Sides:
    """What ratings are counted from, users as rows: sides.row[u] + sides.column[m], in stars.

    The overall mean goes with the basis: it is in sides.row for users, in sides.column for movies.
    """
    user, movie = biases.user.astype(np.float64), biases.movie.astype(np.float64)
    by_user = options.basis == "user"
    if options.deviation == "mean":
        user, movie = np.zeros(spec.n_users), np.zeros(spec.n_movies)
        users = np.repeat(np.arange(spec.n_users), rows.lengths())
        index = users if by_user else rows.movie_index
        mean = user if by_user else movie
        count = np.bincount(index, minlength=len(mean))
        total = np.bincount(index, weights=rows.rating, minlength=len(mean))
        np.divide(total, count, out=mean, where=count > 0)
        mean[count == 0] = spec.mean_rating
        return Sides(user, movie)
    return (
        Sides(user + spec.mean_rating, movie) if by_user else Sides(user, movie + spec.mean_rating)
    )


def _list_length(options: CosineKnnOptions, spec: BatchSpec) -> int:
    n_lists = spec.n_users if options.basis == "user" else spec.n_movies
    return max(min(max(options.neighbors, options.candidates), n_lists - 1), 1)


def _find(
    rows: UserRows, sides: Sides, options: CosineKnnOptions, k: int,
    progress: Callable[[int], object], budget: Budget, work: Path | None,
) -> Neighbours:  # fmt: skip
    ratings = sparse(rows.indptr, rows.movie_index, rows.rating)
    terms: dict[str, Any] = {
        "filled": options.filled, "support": options.support, "co_rating": options.co_rating
    }  # fmt: skip
    if options.basis == "item":
        return find_column_neighbours(
            profile_columns(ratings, sides, **terms), k,
            budget=budget, progress=progress, work=work,
        )  # fmt: skip
    return find_row_neighbours(
        profile_rows(ratings, sides, **terms), k, multiply=_gpu_product(),
        budget=budget, progress=progress, work=work,
    )  # fmt: skip


def tensorflow_product(one: Array, other: Array, products: Array) -> None:
    """Fill in the products of the rows by TensorFlow, on the context's device, in full float32."""
    short = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        products[:] = tf.linalg.matmul(one, other, transpose_b=True)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(short)


def _gpu_product() -> Multiply | None:
    """`tensorflow_product` where the context's device is a GPU, else None."""
    return tensorflow_product if "GPU" in tf.constant(0.0).device else None
