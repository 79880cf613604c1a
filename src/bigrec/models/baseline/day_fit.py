"""Fitting day biases beside those of users and items, and finding out how much they may vary.

A day's bias is shrunk towards 0 by a ridge penalty, which the data tells. Ratings less mean and
item bias covary, two of one user,

    by the variance of users                    if they are of different days,
    by the variance of users + that of days     if they are of one day,

and the penalty is the variance of all else over that of days, which makes ridge regression the best
linear predictor (Henderson). Both are estimated by means of products of two ratings, the method of
moments (Searle, Casella, McCulloch, "Variance Components", 1992); each user with several days, one
of them with several ratings, counts once. Where the variance of days is not above two of its
standard errors, ratings of one day agree no more than others: there are no day biases.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.errors import StoreError
from bigrec.models.baseline.bias import ITEM_PENALTY, USER_PENALTY
from bigrec.models.baseline.day_bias import N_DAYS, DayBiases, list_days
from bigrec.resources import Progress
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

ROUNDS: Final = 10


def fit_days(
    rows: Rows,
    spec: DataSpec,
    item_count: Array,
    user: Array,
    item: Array,
    progress: Progress,
) -> DayBiases | None:
    """Fit day biases, and refit the others beside them.

    Args:
        rows: the train subset, with days.
        spec: sizes and scale.
        item_count: (n_items,) int64, train rows of each item.
        user: (n_users,) float64, fitted biases; refitted in place.
        item: (n_items,) float64, likewise.
        progress: told of finished rounds.

    Returns:
        None where days make no difference.
    """
    if rows.day is None:
        raise StoreError("biases of days need days, and these rows have none")
    indptr, day = list_days(rows.indptr, rows.day)
    of_days, error, of_all_else = _variances(
        rows.indptr, rows.column, rows.rating, rows.day, spec.mean_rating, item, indptr, day
    )
    if not of_days > 2 * error:
        progress.advance(ROUNDS)
        return None
    penalty = max(of_all_else, 0.0) / of_days
    days = DayBiases(indptr, day, np.zeros(len(day), np.float32), penalty)
    for _ in range(ROUNDS):
        _fit_round(
            rows.indptr, rows.column, rows.rating, rows.day, spec.mean_rating, USER_PENALTY,
            ITEM_PENALTY, penalty, item_count, user, item, days.indptr, days.day, days.bias,
        )  # fmt: skip
        progress.advance(1)
    return days


@compiled
def _variances(  # type: ignore[no-untyped-def]
    indptr, item_index, rating, day, mean, item, day_indptr, days
):
    """The variance of days, its standard error, and the variance of all but days and users.

    All are NaN where no user counts.
    """
    sums, counts = np.zeros(N_DAYS), np.zeros(N_DAYS)
    of_days, of_days_squared, of_all_else, n_users = 0.0, 0.0, 0.0, 0
    for u in range(len(indptr) - 1):
        squares, n = 0.0, float(indptr[u + 1] - indptr[u])
        for row in range(indptr[u], indptr[u + 1]):
            deviation = rating[row] - mean - item[item_index[row]]
            sums[day[row]] += deviation
            counts[day[row]] += 1
            squares += deviation * deviation
        whole_sum, day_squares, same_pairs = 0.0, 0.0, -n
        for position in range(day_indptr[u], day_indptr[u + 1]):
            whole_sum += sums[days[position]]
            day_squares += sums[days[position]] ** 2
            same_pairs += counts[days[position]] ** 2
            sums[days[position]], counts[days[position]] = 0.0, 0.0
        other_pairs = n * n - n - same_pairs
        if same_pairs > 0 and other_pairs > 0:
            same_day = (day_squares - squares) / same_pairs
            other_day = (whole_sum * whole_sum - day_squares) / other_pairs
            of_days += same_day - other_day
            of_days_squared += (same_day - other_day) ** 2
            of_all_else += squares / n - same_day
            n_users += 1
    if n_users == 0:
        return np.nan, np.nan, np.nan
    of_days, of_all_else = of_days / n_users, of_all_else / n_users
    return of_days, np.sqrt((of_days_squared / n_users - of_days**2) / n_users), of_all_else


@compiled
def _fit_round(  # type: ignore[no-untyped-def]
    indptr, item_index, rating, day, mean, user_penalty, item_penalty, day_penalty, item_count,
    user, item, day_indptr, days, bias,
):  # fmt: skip
    """Refit the item biases given all others, then those of users and of their days at once.

    Given its user's bias b, the bias of a day with n rows and a sum S of deviations is
    (S - n b) / (n + day_penalty). With these put in, b is a ridge regression on the means S / n,
    each of the weight n day_penalty / (n + day_penalty).
    """
    totals = np.zeros(len(item))
    of_day = np.zeros(N_DAYS)
    for u in range(len(user)):
        for position in range(day_indptr[u], day_indptr[u + 1]):
            of_day[days[position]] = bias[position]
        for row in range(indptr[u], indptr[u + 1]):
            totals[item_index[row]] += rating[row] - mean - user[u] - of_day[day[row]]
    for m in range(len(item)):
        item[m] = totals[m] / (item_count[m] + item_penalty)
    sums, counts = np.zeros(N_DAYS), np.zeros(N_DAYS, np.int64)
    for u in range(len(user)):
        for row in range(indptr[u], indptr[u + 1]):
            sums[day[row]] += rating[row] - mean - item[item_index[row]]
            counts[day[row]] += 1
        total, weights = 0.0, user_penalty
        for position in range(day_indptr[u], day_indptr[u + 1]):
            weight = day_penalty / (counts[days[position]] + day_penalty)
            total += weight * sums[days[position]]
            weights += weight * counts[days[position]]
        user[u] = total / weights
        for position in range(day_indptr[u], day_indptr[u + 1]):
            n = counts[days[position]]
            bias[position] = (sums[days[position]] - n * user[u]) / (n + day_penalty)
            sums[days[position]], counts[days[position]] = 0.0, 0
