"""Fitting the bias model by alternating ridge regression.

Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering" (TKDD 4(1), 2010),
section 2.1.
"""

from __future__ import annotations

import numpy as np

from bigrec.compiled import compiled
from bigrec.models.baseline.bias import ITEM_PENALTY, USER_PENALTY, Biases
from bigrec.models.baseline.day_fit import ROUNDS, fit_days
from bigrec.resources import SILENT, Progress
from bigrec.rows import DataSpec, Rows


def fit_biases(
    rows: Rows, spec: DataSpec, *, with_days: bool = False, progress: Progress = SILENT
) -> Biases:
    """Fit the bias model to the train subset; exact, without randomness.

    Args:
        rows: the train subset; with days if their biases are wanted.
        spec: sizes and scale.
        with_days: whether users get a bias on each day too; see `day_fit`.
        progress: told of finished rounds.
    """
    progress.start("fitting biases", ROUNDS, "rounds")
    user, item = np.zeros(spec.n_users), np.zeros(spec.n_items)
    item_sum = np.zeros(spec.n_items)
    item_count = np.zeros(spec.n_items, np.int64)
    _sum_items(rows.column, rows.rating, item_sum, item_count)
    for _ in range(ROUNDS):
        _fit_round(
            rows.indptr, rows.column, rows.rating, spec.mean_rating,
            USER_PENALTY, ITEM_PENALTY, item_count, user, item,
        )  # fmt: skip
        progress.advance(1)
    days = None
    if with_days:
        progress.start("fitting days", ROUNDS, "rounds")
        days = fit_days(rows, spec, item_count, user, item, progress)
    item_mean = np.where(item_count > 0, item_sum / np.maximum(item_count, 1), spec.mean_rating)
    return Biases(
        mean=spec.mean_rating,
        user=user.astype(np.float32),
        item=item.astype(np.float32),
        item_mean=item_mean.astype(np.float32),
        user_count=rows.lengths().astype(np.int32),
        item_count=item_count.astype(np.int32),
        days=days,
    )


@compiled
def _sum_items(item_index, rating, item_sum, item_count):  # type: ignore[no-untyped-def]
    for row in range(len(item_index)):
        item_sum[item_index[row]] += rating[row]
        item_count[item_index[row]] += 1


@compiled
def _fit_round(  # type: ignore[no-untyped-def]
    indptr, item_index, rating, mean, user_penalty, item_penalty, item_count, user, item
):  # fmt: skip
    """Refit the item biases given the users', then the users' given the items'."""
    totals = np.zeros(len(item))
    for u in range(len(user)):
        for row in range(indptr[u], indptr[u + 1]):
            totals[item_index[row]] += rating[row] - mean - user[u]
    for m in range(len(item)):
        item[m] = totals[m] / (item_count[m] + item_penalty)
    for u in range(len(user)):
        total = 0.0
        for row in range(indptr[u], indptr[u + 1]):
            total += rating[row] - mean - item[item_index[row]]
        user[u] = total / (indptr[u + 1] - indptr[u] + user_penalty)
