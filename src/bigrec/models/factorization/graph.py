"""Scores that are dot products, as a graph of TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from bigrec.models.graphs import constant

if TYPE_CHECKING:
    from bigrec.models.factorization.scorer import FactorScorer


class FactorGraph(tf.Module):
    """Scores that are dot products."""

    def __init__(self, scorer: FactorScorer) -> None:
        super().__init__()
        factors = scorer.factors
        self._mean = scorer.spec.mean_rating
        self._users, self._items = (
            constant(factors.user_factors),
            constant(factors.item_factors),
        )
        self._user_bias, self._item_bias = (
            constant(factors.user_bias),
            constant(factors.item_bias),
        )

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        """Scores of pairs, not clipped."""
        users, items = tf.gather(self._users, user_index), tf.gather(self._items, item_index)
        bias = tf.gather(self._user_bias, user_index) + tf.gather(self._item_bias, item_index)
        return self._mean + bias + tf.reduce_sum(users * items, axis=1)
