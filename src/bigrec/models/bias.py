"""The bias model: mean plus a deviation of the user and one of the movie.

    score(u, m) = mean + user_bias[u] + movie_bias[m]

with both biases fitted by alternating ridge regression, as in Koren, "Factor in the Neighbors"
(TKDD 2010), section 2.1. It is a baseline, what tuned models start from, and the fallback for pairs
that a model cannot score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np

from bigrec.features import BatchSpec, UserRows

Array = np.ndarray[Any, Any]

_ROUNDS: Final = 10
_USER_PENALTY: Final = 5.0
_MOVIE_PENALTY: Final = 3.0


@dataclass(frozen=True)
class Biases:
    """A fitted bias model. A user or movie without train rows has a bias of 0."""

    mean: float
    """Mean of the train side, in stars."""
    user: Array
    """(n_users,) float32."""
    movie: Array
    """(n_movies,) float32."""
    movie_mean: Array
    """(n_movies,) float32: plain mean of each movie; the overall mean without train rows."""
    user_count: Array
    """(n_users,) int32: train rows of each user."""
    movie_count: Array
    """(n_movies,) int32: train rows of each movie."""

    def score_pairs(self, user_index: Array, movie_index: Array) -> Array:
        """Scores of pairs: (n,) float32. An index below 0 stands for an unknown id: bias 0."""
        user = np.where(user_index >= 0, self.user[user_index], 0)
        movie = np.where(movie_index >= 0, self.movie[movie_index], 0)
        return (self.mean + user + movie).astype(np.float32)

    def is_cold(self, user_index: Array, movie_index: Array) -> Array:
        """Whether the user or the movie of each pair is unknown or has no train row: (n,) bool."""
        cold_user = (user_index < 0) | (self.user_count[user_index] == 0)
        cold_movie = (movie_index < 0) | (self.movie_count[movie_index] == 0)
        return np.asarray(cold_user | cold_movie)


def fit_biases(rows: UserRows, spec: BatchSpec) -> Biases:
    """Fit the bias model to the train side; exact, without randomness."""
    user, movie = np.zeros(spec.n_users), np.zeros(spec.n_movies)
    movie_sum = np.zeros(spec.n_movies)
    movie_count = np.zeros(spec.n_movies, np.int64)
    _sum_movies(rows.movie_index, rows.rating, movie_sum, movie_count)
    for _ in range(_ROUNDS):
        _fit_round(
            rows.indptr, rows.movie_index, rows.rating, spec.mean_rating,
            _USER_PENALTY, _MOVIE_PENALTY, movie_count, user, movie,
        )  # fmt: skip
    movie_mean = np.where(movie_count > 0, movie_sum / np.maximum(movie_count, 1), spec.mean_rating)
    return Biases(
        mean=spec.mean_rating,
        user=user.astype(np.float32),
        movie=movie.astype(np.float32),
        movie_mean=movie_mean.astype(np.float32),
        user_count=rows.lengths().astype(np.int32),
        movie_count=movie_count.astype(np.int32),
    )


@numba.njit(nogil=True, cache=True)
def _sum_movies(movie_index, rating, movie_sum, movie_count):  # type: ignore[no-untyped-def]
    for row in range(len(movie_index)):
        movie_sum[movie_index[row]] += rating[row]
        movie_count[movie_index[row]] += 1


@numba.njit(nogil=True, cache=True)
def _fit_round(  # type: ignore[no-untyped-def]
    indptr, movie_index, rating, mean, user_penalty, movie_penalty, movie_count, user, movie
):  # fmt: skip
    """Refit the movie biases given the users', then the users' given the movies'."""
    totals = np.zeros(len(movie))
    for u in range(len(user)):
        for row in range(indptr[u], indptr[u + 1]):
            totals[movie_index[row]] += rating[row] - mean - user[u]
    for m in range(len(movie)):
        movie[m] = totals[m] / (movie_count[m] + movie_penalty)
    for u in range(len(user)):
        total = 0.0
        for row in range(indptr[u], indptr[u + 1]):
            total += rating[row] - mean - movie[movie_index[row]]
        user[u] = total / (indptr[u + 1] - indptr[u] + user_penalty)
