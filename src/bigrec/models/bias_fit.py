"""Fitting the bias model by alternating ridge regression.

Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering" (TKDD 4(1), 2010),
section 2.1.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from bigrec.errors import StoreError
from bigrec.features import BatchSpec, UserRows
from bigrec.models.bias import MOVIE_PENALTY, USER_PENALTY, Biases
from bigrec.models.day_bias import N_DAYS, DayBiases, list_days
from bigrec.resources import SILENT, Progress

Array = np.ndarray[Any, Any]

_ROUNDS: Final = 10


def fit_biases(
    rows: UserRows, spec: BatchSpec, *, day_l2: float = 0.0, progress: Progress = SILENT
) -> Biases:
    """Fit the bias model to the train side; exact, without randomness.

    Args:
        rows: the train side; with days if their biases are wanted.
        spec: sizes and scale.
        day_l2: ridge penalty of a user's bias on one day, in train rows; 0: no such biases.
        progress: told of finished rounds.
    """
    progress.start("fitting biases", _ROUNDS, "rounds")
    user, movie = np.zeros(spec.n_users), np.zeros(spec.n_movies)
    movie_sum = np.zeros(spec.n_movies)
    movie_count = np.zeros(spec.n_movies, np.int64)
    _sum_movies(rows.movie_index, rows.rating, movie_sum, movie_count)
    days = None
    if day_l2:
        days = _fit_with_days(rows, spec, day_l2, movie_count, user, movie, progress)
    else:
        for _ in range(_ROUNDS):
            _fit_round(
                rows.indptr, rows.movie_index, rows.rating, spec.mean_rating,
                USER_PENALTY, MOVIE_PENALTY, movie_count, user, movie,
            )  # fmt: skip
            progress.advance(1)
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


def _fit_with_days(
    rows: UserRows,
    spec: BatchSpec,
    day_l2: float,
    movie_count: Array,
    user: Array,
    movie: Array,
    progress: Progress,
) -> DayBiases:
    """Fit `user` and `movie` in place, and the biases of days beside them."""
    if rows.day is None:
        raise StoreError("biases of days need days, and these rows have none")
    indptr, day = list_days(rows.indptr, rows.day)
    days = DayBiases(indptr, day, np.zeros(len(day), np.float32))
    for _ in range(_ROUNDS):
        _fit_round_with_days(
            rows.indptr, rows.movie_index, rows.rating, rows.day, spec.mean_rating, USER_PENALTY,
            MOVIE_PENALTY, day_l2, movie_count, user, movie, days.indptr, days.day, days.bias,
        )  # fmt: skip
        progress.advance(1)
    return days


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


@numba.njit(nogil=True, cache=True)
def _fit_round_with_days(  # type: ignore[no-untyped-def]
    indptr, movie_index, rating, day, mean, user_penalty, movie_penalty, day_penalty, movie_count,
    user, movie, day_indptr, days, bias,
):  # fmt: skip
    """Refit the movie biases given all others, then those of users and of their days at once.

    Given its user's bias b, the bias of a day with n rows and a sum S of deviations is
    (S - n b) / (n + day_penalty). With these put in, b is a ridge regression on the means S / n,
    each of the weight n day_penalty / (n + day_penalty).
    """
    totals = np.zeros(len(movie))
    of_day = np.zeros(N_DAYS)
    for u in range(len(user)):
        for place in range(day_indptr[u], day_indptr[u + 1]):
            of_day[days[place]] = bias[place]
        for row in range(indptr[u], indptr[u + 1]):
            totals[movie_index[row]] += rating[row] - mean - user[u] - of_day[day[row]]
    for m in range(len(movie)):
        movie[m] = totals[m] / (movie_count[m] + movie_penalty)
    sums, counts = np.zeros(N_DAYS), np.zeros(N_DAYS, np.int64)
    for u in range(len(user)):
        for row in range(indptr[u], indptr[u + 1]):
            sums[day[row]] += rating[row] - mean - movie[movie_index[row]]
            counts[day[row]] += 1
        total, weights = 0.0, user_penalty
        for place in range(day_indptr[u], day_indptr[u + 1]):
            weight = day_penalty / (counts[days[place]] + day_penalty)
            total += weight * sums[days[place]]
            weights += weight * counts[days[place]]
        user[u] = total / weights
        for place in range(day_indptr[u], day_indptr[u + 1]):
            n = counts[days[place]]
            bias[place] = (sums[days[place]] - n * user[u]) / (n + day_penalty)
            sums[days[place]], counts[days[place]] = 0.0, 0
