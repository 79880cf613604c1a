"""Fitting the bias model by alternating ridge regression.

Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering" (TKDD 4(1), 2010),
section 2.1.
"""

from __future__ import annotations

import numpy as np

from bigrec.compiled import compiled
from bigrec.features import BatchSpec, UserRows
from bigrec.models.bias import MOVIE_PENALTY, USER_PENALTY, Biases
from bigrec.models.day_fit import ROUNDS, fit_days
from bigrec.resources import SILENT, Progress


def fit_biases(
    rows: UserRows, spec: BatchSpec, *, with_days: bool = False, progress: Progress = SILENT
) -> Biases:
    """Fit the bias model to the train side; exact, without randomness.

    Args:
        rows: the train side; with days if their biases are wanted.
        spec: sizes and scale.
        with_days: whether users get a bias on each day too; see `day_fit`.
        progress: told of finished rounds.
    """
    progress.start("fitting biases", ROUNDS, "rounds")
    user, movie = np.zeros(spec.n_users), np.zeros(spec.n_movies)
    movie_sum = np.zeros(spec.n_movies)
    movie_count = np.zeros(spec.n_movies, np.int64)
    _sum_movies(rows.movie_index, rows.rating, movie_sum, movie_count)
    for _ in range(ROUNDS):
        _fit_round(
            rows.indptr, rows.movie_index, rows.rating, spec.mean_rating,
            USER_PENALTY, MOVIE_PENALTY, movie_count, user, movie,
        )  # fmt: skip
        progress.advance(1)
    days = None
    if with_days:
        progress.start("fitting days", ROUNDS, "rounds")
        days = fit_days(rows, spec, movie_count, user, movie, progress)
    movie_mean = np.where(movie_count > 0, movie_sum / np.maximum(movie_count, 1), spec.mean_rating)
    return Biases(
        mean=spec.mean_rating,
        user=user.astype(np.float32),
        movie=movie.astype(np.float32),
        movie_mean=movie_mean.astype(np.float32),
        user_count=rows.lengths().astype(np.int32),
        movie_count=movie_count.astype(np.int32),
        days=days,
    )


@compiled
def _sum_movies(movie_index, rating, movie_sum, movie_count):  # type: ignore[no-untyped-def]
    for row in range(len(movie_index)):
        movie_sum[movie_index[row]] += rating[row]
        movie_count[movie_index[row]] += 1


@compiled
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
