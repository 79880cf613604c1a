"""Nearest neighbours by cosine similarity of users.

The notebook fills each user's row with the user's mean m_u and takes cosines of the filled rows.
With x_u = m_u · 1 + d_u, where d_u is zero off the ratings and sums to zero over them,

    x_u · x_v = M m_u m_v + d_u · d_v   and   |x_u|² = M m_u² + |d_u|²,

so the same similarities come exactly from the deviations, tile by tile, without the filled matrix.
The tuned preset takes deviations from the bias model, cosines of the deviations alone, and counts
only neighbours who have rated the movie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras
import numba
import numpy as np
import tensorflow as tf

from bigrec.features import MOVIE_INDEX, USER_INDEX, BatchSpec, UserRows
from bigrec.models.bias import Biases
from bigrec.models.options import ModelOptions, bounded, choice

Array = np.ndarray[Any, Any]

_TILE_USERS = 1024


@dataclass(frozen=True)
class CosineKnnOptions(ModelOptions):
    """Hyper-parameters of the neighbours; the defaults are the notebook's."""

    neighbors: int = bounded(100, 1)
    """Most similar users that a prediction is made from."""
    deviation: str = choice("mean", "mean", "biases")
    """What a rating is counted from: the user's mean, or the bias model."""
    filled: bool = True
    """Whether rows are filled with the user's mean before cosines are taken."""
    only_raters: bool = False
    """Whether only neighbours who have rated the movie count."""
    shrinkage: float = bounded(0.0, 0)
    """Added to the sum of weights, so that few or weak neighbours say little; with only_raters."""


PRESETS: Final = {
    "notebook": CosineKnnOptions(),
    "tuned": CosineKnnOptions(
        neighbors=250, deviation="biases", filled=False, only_raters=True, shrinkage=1.0
    ),
}


@keras.saving.register_keras_serializable("bigrec")
class NeighbourScores(keras.layers.Layer):
    """Scores of pairs from each user's neighbours.

    Filled rows: sum_v s_uv (base_v + d_vm) / sum_v s_uv over all neighbours v of user u. Only
    raters: base_um + sum_v s_uv d_vm / (shrinkage + sum_v |s_uv|) over those who rated m. The
    deviations d are found by binary search among the sorted keys user * n_movies + movie.
    """

    def __init__(
        self,
        n_users: int,
        n_movies: int,
        n_rows: int,
        neighbors: int,
        only_raters: bool,
        shrinkage: float,
        mean: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes: dict[str, Any] = {
            "n_users": n_users,
            "n_movies": n_movies,
            "n_rows": n_rows,
            "neighbors": neighbors,
            "only_raters": only_raters,
            "shrinkage": shrinkage,
            "mean": mean,
        }
        self.n_movies, self.only_raters = n_movies, only_raters
        self.shrinkage, self.mean = shrinkage, mean

    def build(self, *_: Any) -> None:
        """Make the weights; `fit` fills them."""
        n_users, k = self.sizes["n_users"], self.sizes["neighbors"]
        n_rows = self.sizes["n_rows"]

        def weight(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
            return self.add_weight(
                shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
            )

        self.keys = weight("keys", (n_rows,), "int64")
        self.deviations = weight("deviations", (n_rows,))
        self.user_base = weight("user_base", (n_users,))
        self.movie_base = weight("movie_base", (self.n_movies,))
        self.neighbour_index = weight("neighbour_index", (n_users, k), "int32")
        self.similarity = weight("similarity", (n_users, k))

    def call(self, user_index: Any, movie_index: Any) -> Any:
        """Score pairs: (batch,), (batch,) to (batch, 1)."""
        neighbours = self.neighbour_index.value.sparse_read(user_index)  # (batch, k)
        similarity = self.similarity.value.sparse_read(user_index)  # (batch, k)
        keys = self.keys.value
        wanted = tf.cast(neighbours, tf.int64) * self.n_movies + tf.cast(
            movie_index[:, None], tf.int64
        )
        places = tf.searchsorted(keys, tf.reshape(wanted, [-1]))
        places = tf.minimum(places, tf.shape(keys)[0] - 1)
        found = tf.reshape(tf.gather(keys, places), tf.shape(wanted)) == wanted  # (batch, k)
        deviation = tf.reshape(tf.gather(self.deviations.value, places), tf.shape(wanted))
        deviation = tf.where(found, deviation, 0.0)
        base = self.mean + tf.gather(self.movie_base.value, movie_index)  # (batch,)
        if self.only_raters:
            weights = tf.where(found, tf.abs(similarity), 0.0)
            total = tf.reduce_sum(weights, axis=1) + self.shrinkage
            change = tf.math.divide_no_nan(tf.reduce_sum(similarity * deviation, axis=1), total)
            scores = base + tf.gather(self.user_base.value, user_index) + change
        else:
            filled = tf.gather(self.user_base.value, neighbours) + deviation  # (batch, k)
            scores = base + tf.math.divide_no_nan(
                tf.reduce_sum(similarity * filled, axis=1), tf.reduce_sum(similarity, axis=1)
            )
        return scores[:, None]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.sizes}


def fit(
    rows: UserRows, spec: BatchSpec, options: CosineKnnOptions, biases: Biases, progress: Any = None
) -> keras.Model:
    """Find every user's neighbours and build the model that scores by them.

    Args:
        rows: the train side.
        spec: sizes and scale.
        options: see CosineKnnOptions.
        biases: the fitted bias model.
        progress: called with the number of users done after each tile.

    Returns:
        A Keras model: user_index, movie_index (batch,) int32 to scores (batch, 1) in stars.
    """
    lengths = rows.lengths()
    user_of_row = np.repeat(np.arange(rows.n_users), lengths)
    movie_index, rating = np.asarray(rows.movie_index), np.asarray(rows.rating)
    if options.deviation == "mean":
        sums = np.bincount(user_of_row, weights=rating, minlength=rows.n_users)
        user_mean = np.where(lengths > 0, sums / np.maximum(lengths, 1), spec.mean_rating)
        user_base, movie_base = user_mean - spec.mean_rating, np.zeros(spec.n_movies)
    else:
        user_base, movie_base = biases.user.astype(float), biases.movie.astype(float)
    deviation = rating - (spec.mean_rating + user_base[user_of_row] + movie_base[movie_index])
    neighbours = min(options.neighbors, rows.n_users - 1)
    level = spec.mean_rating + user_base if options.filled else np.zeros(rows.n_users)
    index, similarity = nearest_neighbours(
        UserRows(rows.indptr, movie_index, deviation.astype(np.float32)),
        level, spec.n_movies, neighbours, progress,
    )  # fmt: skip
    layer = NeighbourScores(
        rows.n_users, spec.n_movies, rows.n_rows, neighbours,
        options.only_raters, options.shrinkage, spec.mean_rating, name="neighbours",
    )  # fmt: skip
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    movie = keras.Input((), dtype="int32", name=MOVIE_INDEX)
    model = keras.Model([user, movie], layer(user, movie))
    layer.keys.assign(user_of_row * spec.n_movies + movie_index)
    layer.deviations.assign(deviation)
    layer.user_base.assign(user_base)
    layer.movie_base.assign(movie_base)
    layer.neighbour_index.assign(index)
    layer.similarity.assign(similarity)
    return model


def nearest_neighbours(
    deviations: UserRows, level: Array, n_movies: int, k: int, progress: Any = None
) -> tuple[Array, Array]:
    """The k most similar users of each user, most similar first, ties by user index.

    Args:
        deviations: d_u of every user, sparse.
        level: (n_users,) float64, m_u, what rows are filled with; zeros for cosines of d alone.
        n_movies: M, the length of a row.
        k: neighbours to keep.
        progress: called with the number of users done after each tile.

    Returns:
        (n_users, k) int32 indices and (n_users, k) float32 cosines.
    """
    n_users = deviations.n_users
    squares = np.bincount(
        np.repeat(np.arange(n_users), deviations.lengths()),
        weights=np.square(deviations.rating, dtype=np.float64),
        minlength=n_users,
    )
    norm = np.sqrt(n_movies * level**2 + squares)
    # A user without ratings is nobody's neighbour.
    known = (norm > 0) & (deviations.lengths() > 0)
    inverse = np.divide(1, norm, out=np.zeros(n_users), where=known)
    index = np.zeros((n_users, k), np.int32)
    similarity = np.zeros((n_users, k), np.float32)
    tiles = [(a, min(a + _TILE_USERS, n_users)) for a in range(0, n_users, _TILE_USERS)]
    for start, stop in tiles:
        rows = _dense(deviations, start, stop, n_movies)
        best_index = np.zeros((stop - start, k), np.int32)
        best = np.full((stop - start, k), -np.inf)
        for other, end in tiles:
            columns = rows if other == start else _dense(deviations, other, end, n_movies)
            dots = (rows @ columns.T).astype(np.float64)  # (tile, tile)
            dots += n_movies * np.outer(level[start:stop], level[other:end])
            dots *= np.outer(inverse[start:stop], inverse[other:end])
            if other == start:
                np.fill_diagonal(dots, -np.inf)  # nobody is their own neighbour
            _keep_best(best_index, best, other, dots)
        index[start:stop], similarity[start:stop] = best_index, best
        if progress is not None:
            progress(stop - start)
    return index, similarity


def _dense(rows: UserRows, start: int, stop: int, n_movies: int) -> Array:
    tile = np.zeros((stop - start, n_movies), np.float32)
    first, last = rows.indptr[start], rows.indptr[stop]
    user = np.repeat(np.arange(stop - start), np.diff(rows.indptr[start : stop + 1]))
    tile[user, rows.movie_index[first:last]] = rows.rating[first:last]
    return tile


@numba.njit(nogil=True, cache=True)
def _keep_best(best_index, best, first, new):  # type: ignore[no-untyped-def]
    """Insert the candidates of one tile into each user's list, which stays in descending order.

    Candidates come in order of their index and only a greater one passes another, so equal ones
    stay in order of their index whatever the tiles are.
    """
    k = best.shape[1]
    for row in range(new.shape[0]):
        for column in range(new.shape[1]):
            value = new[row, column]
            if value <= best[row, k - 1]:
                continue
            place = k - 1
            while place > 0 and best[row, place - 1] < value:
                best[row, place] = best[row, place - 1]
                best_index[row, place] = best_index[row, place - 1]
                place -= 1
            best[row, place] = value
            best_index[row, place] = first + column
