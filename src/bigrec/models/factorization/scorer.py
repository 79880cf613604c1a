"""Models whose scores are dot products, in arrays: they score without Keras.

A program has answered from these arrays long before it could have started TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.models.baseline.bias import USER_PENALTY, Biases
from bigrec.models.scoring import Graph, Scorer
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

FOLD_IN_PENALTY: Final = 0.06
"""Penalty on the factors of a new person, for each rating that they are found from."""


@dataclass(frozen=True)
class Factors:
    """score(u, m) = mean + user_bias[u] + item_bias[m] + user_factors[u] · item_factors[m]."""

    user_factors: Array
    """(n_users, size) float32."""
    item_factors: Array
    """(n_items, size) float32."""
    user_bias: Array
    """(n_users,) float32, in stars."""
    item_bias: Array
    """(n_items,) float32, in stars."""


class FactorScorer(Scorer):
    """A trained model whose scores are dot products."""

    def __init__(self, factors: Factors, rows: Rows, spec: DataSpec, biases: Biases) -> None:
        super().__init__(rows, spec, biases)
        self.factors = factors

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Score pairs by one dot product each."""
        users = self.factors.user_factors[user_index]  # (n, size)
        items = self.factors.item_factors[item_index]  # (n, size)
        bias = self.factors.user_bias[user_index] + self.factors.item_bias[item_index]
        products = np.einsum("ij,ij->i", users, items)
        return np.asarray(products + bias + np.float32(self.spec.mean_rating))

    def score_users(self, users: Array) -> Array:
        """Score every item for some known users, unclipped: (n_users, n_items) float32."""
        return self._score(self.factors.user_factors[users], self.factors.user_bias[users])

    def fold_in(self, item_index: Array, rating: Array) -> Array:
        """Score every item for a new person, by ridge regression on the items' factors.

        With q the factors of the rated items, the bias b and the factors p minimise

            sum (rating - mean - item_bias - b - p · q)² + USER_PENALTY b² + n FOLD_IN_PENALTY |p|²

        over the n ratings: one user's step of alternating least squares with weighted penalties
        (Zhou, Wilkinson, Schreiber, Pan, "Large-Scale Parallel Collaborative Filtering for the
        Netflix Prize", AAIM 2008), with a bias as the bias model has it.
        """
        items = self.factors.item_factors[item_index].astype(np.float64)  # (n, size)
        known = np.column_stack((np.ones(len(items)), items))  # (n, 1 + size)
        wanted = rating - self.spec.mean_rating - self.factors.item_bias[item_index]
        penalty = np.full(known.shape[1], FOLD_IN_PENALTY * len(items))
        penalty[0] = USER_PENALTY
        solved = np.linalg.solve(known.T @ known + np.diag(penalty), known.T @ wanted)
        solved = solved.astype(np.float32)
        return np.asarray(self._score(solved[None, 1:], solved[:1])[0])

    def graph(self) -> Graph:
        """The same products."""
        from bigrec.models.factorization.graph import FactorGraph  # late: it loads TensorFlow

        return FactorGraph(self)

    def _score(self, user_factors: Array, user_bias: Array) -> Array:
        scores = user_factors @ self.factors.item_factors.T  # (n_users, n_items)
        scores += user_bias[:, None]
        scores += self.factors.item_bias + np.float32(self.spec.mean_rating)
        return np.asarray(scores)
