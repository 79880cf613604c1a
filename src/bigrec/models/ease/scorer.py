"""Scores of EASE: the weights of the items that a user likes, added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigrec.compiled import compiled
from bigrec.models.contract import TrainSubset
from bigrec.models.ranking_scorer import RankingScorer
from bigrec.resources import pool
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

_USERS_AT_ONCE = 16


class EaseScorer(RankingScorer):
    """score(u, m) = the sum of B[i, m] over the items i with a positive rating of u."""

    def __init__(self, subset: TrainSubset, positive: float, weights: Array) -> None:
        """Take the weights.

        Args:
            subset: the train subset.
            positive: the rating from which on a rating is positive.
            weights: (n_items, n_items) float32; row i is what item i says of each item.
        """
        super().__init__(subset.rows, subset.spec, subset.biases, positive)
        self.weights = weights

    def score_users(self, users: Array) -> Array:
        """Score every item for some known users: (n_users, n_items) float32."""
        return self._score(self.rows.take(users))

    def fold_in(self, item_index: Array, rating: Array) -> Array:
        """Score every item for a new person, as if they had been there: (n_items,) float32."""
        row = Rows(np.array([0, len(rating)]), item_index, rating.astype(np.float32))
        return np.asarray(self._score(row)[0])

    def _score(self, rows: Rows) -> Array:
        scores = np.zeros((rows.n_rows, self.spec.n_items), np.float32)
        weights = np.asarray(self.weights).view()
        weights.flags.writeable = False  # as those of a file are, so that the loop has one type

        def add(first: int) -> None:
            last = min(first + _USERS_AT_ONCE, rows.n_rows)
            _add(
                rows.indptr, rows.column, rows.rating, np.float32(self.positive), weights,
                first, last, scores,
            )  # fmt: skip

        with pool(self.threads) as workers:
            list(workers.map(add, range(0, rows.n_rows, _USERS_AT_ONCE)))
        return scores


class WeightSimilarity:
    """What each item says of one: its weight in the score of that item."""

    def __init__(self, weights: Array) -> None:
        """Take the weights, as a scorer's."""
        self._weights = weights

    def compare(self, item: int) -> Array:
        """The weights of all items in the score of one: (n_items,) float64."""
        return np.asarray(self._weights[:, item], np.float64)


@compiled
def _add(  # type: ignore[no-untyped-def]
    indptr, column, rating, positive, weights, first, last, scores
):
    for u in range(first, last):
        for position in range(indptr[u], indptr[u + 1]):
            if rating[position] >= positive:
                item = column[position]
                for other in range(scores.shape[1]):
                    scores[u, other] += weights[item, other]
