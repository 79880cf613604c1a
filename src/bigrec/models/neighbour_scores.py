"""Scores of pairs from lists of neighbours: as a Keras layer, and compiled for whole users.

With basis=user a list holds users v near u, with basis=item movies near m. A rating r of neighbour
x counts from its own base: base(u, m) = user_base[u] + movie_base[m]. The score is

    base(u, m) + sum_x w_x y_x / (shrinkage + sum_x w_x),   w_x = s_x ** power,

over the first `neighbors` elements of the list (with only_raters: over the first that have the
rating r(x, m), or r(u, x)). Here y_x is r - base(x), or 0 without a rating, if own_level; otherwise
y_x is r, or base(x) without a rating, less base(u, m): the neighbours' own ratings are averaged.

The layer makes a saved model complete, and finds ratings by binary search. `NeighbourScorer`
computes the same from the same weights, a user at a time, in a fraction of the time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numba
import numpy as np
import tensorflow as tf

from bigrec.features import UserRows
from bigrec.models.neighbour_kernels import Sides, sparse
from bigrec.models.profiles import Neighbours

Array = np.ndarray[Any, Any]

_USERS_AT_ONCE = 64


@dataclass(frozen=True)
class NeighbourRule:
    """How a score is made from a list."""

    basis: str
    """user or item: whose neighbours the lists hold."""
    neighbors: int
    """Elements of a list that count."""
    only_raters: bool
    """Whether only elements with a rating count."""
    own_level: bool
    """Whether neighbours add deviations to the target's base."""
    shrinkage: float
    """Added to the sum of weights."""
    power: float
    """Of a similarity, to be a weight."""


@keras.saving.register_keras_serializable("bigrec")
class NeighbourScores(keras.layers.Layer):
    """Scores of pairs: (batch,), (batch,) int32 to (batch, 1) float32, in stars."""

    def __init__(
        self, n_users: int, n_movies: int, n_ratings: int, length: int, rule: dict[str, Any],
        **kwargs: Any,
    ) -> None:  # fmt: skip
        """Take the sizes, the length of the lists, and the fields of a NeighbourRule."""
        super().__init__(**kwargs)
        self.sizes = {
            "n_users": n_users, "n_movies": n_movies, "n_ratings": n_ratings, "length": length
        }  # fmt: skip
        self.rule = NeighbourRule(**rule)

    def build(self, *_: Any) -> None:
        """Make the weights; `set_weights_from` fills them."""
        n_users, n_movies = self.sizes["n_users"], self.sizes["n_movies"]
        n_lists = n_users if self.rule.basis == "user" else n_movies

        def weight(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
            return self.add_weight(
                shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
            )

        self.indptr = weight("indptr", (n_users + 1,), "int64")
        self.movie_index = weight("movie_index", (self.sizes["n_ratings"],), "int32")
        self.rating = weight("rating", (self.sizes["n_ratings"],))
        self.user_base = weight("user_base", (n_users,))
        self.movie_base = weight("movie_base", (n_movies,))
        self.neighbour_index = weight("neighbour_index", (n_lists, self.sizes["length"]), "int32")
        self.similarity = weight("similarity", (n_lists, self.sizes["length"]))

    def call(self, user_index: Any, movie_index: Any) -> Any:
        """Look the lists up, find the ratings, and weigh them."""
        rule = self.rule
        of_users = rule.basis == "user"
        list_index = user_index if of_users else movie_index
        found_index = self.neighbour_index.value.sparse_read(list_index)  # (batch, length)
        similarity = self.similarity.value.sparse_read(list_index)
        real = found_index >= 0
        near = tf.maximum(found_index, 0)
        users = near if of_users else tf.broadcast_to(user_index[:, None], tf.shape(near))
        movies = tf.broadcast_to(movie_index[:, None], tf.shape(near)) if of_users else near
        rated, rating = self._find(users, movies)
        counts = (rated & real) if rule.only_raters else real
        counts &= tf.cumsum(tf.cast(counts, tf.int32), axis=1) <= rule.neighbors
        weights = tf.where(counts, tf.pow(similarity, rule.power), 0.0)
        base = self._base(user_index, movie_index)  # (batch,)
        there = self._base(users, movies)  # (batch, length)
        if rule.own_level:
            change = tf.where(rated, rating - there, 0.0)
        else:
            change = tf.where(rated, rating, there) - base[:, None]
        total = rule.shrinkage + tf.reduce_sum(weights, axis=1)
        added = tf.math.divide_no_nan(tf.reduce_sum(weights * change, axis=1), total)
        return (base + added)[:, None]

    def fill(self, rows: UserRows, sides: Sides, neighbours: Neighbours) -> None:
        """Fill the weights of a built layer.

        Args:
            rows: the train side.
            sides: what ratings are counted from, users as rows.
            neighbours: of every user, or of every movie.
        """
        self.indptr.assign(rows.indptr)
        self.movie_index.assign(rows.movie_index)
        self.rating.assign(rows.rating)
        self.user_base.assign(sides.row)
        self.movie_base.assign(sides.column)
        self.neighbour_index.assign(neighbours.index)
        self.similarity.assign(neighbours.similarity)

    def _base(self, users: Any, movies: Any) -> Any:
        user = tf.gather(self.user_base.value, users)
        return user + tf.gather(self.movie_base.value, movies)

    def _find(self, users: Any, movies: Any) -> tuple[Any, Any]:
        """Whether there is a rating, and it, by binary search in the user's row."""
        low = tf.gather(self.indptr.value, users)
        end = tf.gather(self.indptr.value, users + 1)
        high = end
        last = max(self.sizes["n_ratings"] - 1, 0)
        for _ in range(self.sizes["n_movies"].bit_length()):
            middle = (low + high) // 2
            smaller = tf.gather(self.movie_index.value, tf.minimum(middle, last)) < movies
            smaller &= low < high
            low, high = tf.where(smaller, middle + 1, low), tf.where(smaller, high, middle)
        place = tf.minimum(low, last)
        found = (low < end) & (tf.gather(self.movie_index.value, place) == movies)
        return found, tf.gather(self.rating.value, place)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.sizes, "rule": asdict(self.rule)}


def find_scorer(model: keras.Model, rows: UserRows) -> NeighbourScorer | None:
    """A scorer for a model that scores by neighbours; None for any other.

    Args:
        model: any model.
        rows: the train side that it was made from.
    """
    for layer in model.layers:
        if isinstance(layer, NeighbourScores):
            return NeighbourScorer(layer, rows)
    return None


class NeighbourScorer:
    """What the layer computes, for users whose train rows are at hand."""

    def __init__(self, layer: NeighbourScores, rows: UserRows) -> None:
        """Take the lists of a layer, and the train side that it was made from."""
        self.rule = layer.rule
        self.index = np.asarray(layer.neighbour_index)
        self.weights = np.asarray(layer.similarity).astype(np.float64) ** layer.rule.power
        self.sides = Sides(
            np.asarray(layer.user_base).astype(np.float64),
            np.asarray(layer.movie_base).astype(np.float64),
        )
        self.ratings = sparse(rows.indptr, rows.movie_index, rows.rating)

    def score_users(self, users: Array) -> Array:
        """Scores of every movie: (n,) to (n, n_movies) float32, in stars, unclipped."""
        n_movies = len(self.sides.column)
        starts = np.arange(0, (len(users) + 1) * n_movies, n_movies)
        movies = np.tile(np.arange(n_movies, dtype=np.int32), len(users))
        return self._score(users, starts, movies).reshape(len(users), n_movies)

    def score_pairs(self, user_index: Array, movie_index: Array) -> Array:
        """Scores of pairs: (n,), (n,) to (n,) float32, in stars, unclipped. Sorted is fastest."""
        order = np.argsort(user_index, kind="stable")
        users, starts = np.unique(user_index[order], return_index=True)
        scores = np.empty(len(order), np.float32)
        starts = np.append(starts, len(order))
        scores[order] = self._score(users, starts, movie_index[order])
        return scores

    def _score(self, users: Array, starts: Array, movies: Array) -> Array:
        rule = self.rule
        scores = np.empty(len(movies), np.float32)
        score = _score_by_users if rule.basis == "user" else _score_by_movies

        def run(first: int) -> None:
            part = slice(first, first + _USERS_AT_ONCE)
            score(
                users[part], starts[first : first + _USERS_AT_ONCE + 1], movies, self.index,
                self.weights, self.ratings, self.sides, rule.neighbors, rule.only_raters,
                rule.own_level, rule.shrinkage, scores,
            )  # fmt: skip

        with ThreadPoolExecutor() as pool:
            list(pool.map(run, range(0, len(users), _USERS_AT_ONCE)))
        return scores


@numba.njit(nogil=True, cache=True)
def _score_by_users(  # type: ignore[no-untyped-def]
    users, starts, movies, index, weights, ratings, sides, neighbors, only_raters, own_level,
    shrinkage, scores,
):  # fmt: skip
    """Add the rows of a user's neighbours up, then read the wanted movies."""
    n_movies = len(sides.column)
    above, below = np.zeros(n_movies), np.zeros(n_movies)
    n_found = np.zeros(n_movies, np.int32)
    for number in range(len(users)):
        user = users[number]
        above[:] = 0
        below[:] = 0
        n_found[:] = 0
        all_weights, all_levels = 0.0, 0.0
        for rank in range(index.shape[1]):
            near, weight = index[user, rank], weights[user, rank]
            if near < 0 or (rank >= neighbors and not only_raters):
                break
            all_weights += weight
            all_levels += weight * sides.row[near]
            for place in range(ratings.indptr[near], ratings.indptr[near + 1]):
                movie = ratings.column[place]
                if n_found[movie] == neighbors:
                    continue
                n_found[movie] += 1
                below[movie] += weight
                value = ratings.rating[place]
                if own_level or not only_raters:
                    value -= sides.row[near] + sides.column[movie]
                above[movie] += weight * value
        for place in range(starts[number], starts[number + 1]):
            movie = movies[place]
            base = sides.row[user] + sides.column[movie]
            total = below[movie] if only_raters else all_weights
            change = above[movie]
            if not own_level:
                if not only_raters:
                    change += all_levels + all_weights * sides.column[movie]
                change -= total * base
            total += shrinkage
            scores[place] = base + (change / total if total > 0 else 0.0)


@numba.njit(nogil=True, cache=True)
def _score_by_movies(  # type: ignore[no-untyped-def]
    users, starts, movies, index, weights, ratings, sides, neighbors, only_raters, own_level,
    shrinkage, scores,
):  # fmt: skip
    """Spread a user's row out, then walk the list of each wanted movie."""
    rating = np.full(len(sides.column), np.nan)
    for number in range(len(users)):
        user = users[number]
        row = range(ratings.indptr[user], ratings.indptr[user + 1])
        for place in row:
            rating[ratings.column[place]] = ratings.rating[place]
        for place in range(starts[number], starts[number + 1]):
            movie = movies[place]
            base = sides.row[user] + sides.column[movie]
            above, below, n_found = 0.0, 0.0, 0
            for rank in range(index.shape[1]):
                near = index[movie, rank]
                if near < 0 or n_found == neighbors:
                    break
                rated = not np.isnan(rating[near])
                if only_raters and not rated:
                    continue
                n_found += 1
                there = sides.row[user] + sides.column[near]
                if own_level:
                    value = rating[near] - there if rated else 0.0
                else:
                    value = (rating[near] if rated else there) - base
                above += weights[movie, rank] * value
                below += weights[movie, rank]
            total = below + shrinkage
            scores[place] = base + (above / total if total > 0 else 0.0)
        for place in row:
            rating[ratings.column[place]] = np.nan
