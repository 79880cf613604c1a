"""Scores from a trained Keras model: given pairs, or all items of whole users."""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from bigrec.models import layers  # noqa: F401 - saved models are made of them
from bigrec.models.baseline.bias import Biases
from bigrec.models.graphs import PairGraph, RowGraph
from bigrec.models.scoring import FoldIn, Graph, Scorer
from bigrec.rows import RATING, DataSpec, Rows

Array = np.ndarray[Any, Any]

PAIRS_AT_ONCE: Final = 1 << 13
"""Pairs that are scored in one call of a model of pairs."""
USERS_AT_ONCE: Final = 512
"""Rows that are completed in one call of a model of rows."""


def takes_rows(model: keras.Model) -> bool:
    """Whether a model completes rows of ratings; others score pairs."""
    return any(tensor.name == RATING for tensor in model.inputs)


class KerasScorer(Scorer):
    """A trained model with all that it needs to score."""

    def __init__(
        self,
        model: keras.Model,
        rows: Rows,
        spec: DataSpec,
        biases: Biases,
        fold_in: FoldIn | None = None,
    ) -> None:
        super().__init__(rows, spec, biases)
        self.model = model
        self.takes_rows = takes_rows(model)
        self._fold_in = fold_in
        index = tf.TensorSpec((None,), tf.int32)
        row = tf.TensorSpec((None, spec.n_items), tf.float32)
        self._call = tf.function(
            lambda one, other: model([one, other], training=False),
            input_signature=(index, row if self.takes_rows else index),
            autograph=False,  # it would leave files in the temporary folder, and finds nothing here
        )

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Score pairs: by pairs, or by completing the rows of their users."""
        score = self._score_by_rows if self.takes_rows else self._score_by_pairs
        return score(user_index, item_index)

    def score_users(self, users: Array) -> Array:
        """Score every item for some known users, unclipped: (n_users, n_items) float32."""
        if self.takes_rows:
            return self._complete_rows(users)
        n_items = self.spec.n_items
        item_index = np.tile(np.arange(n_items, dtype=np.int32), len(users))
        user_index = np.repeat(users.astype(np.int32), n_items)
        return self._score_by_pairs(user_index, item_index).reshape(len(users), n_items)

    def fold_in(self, item_index: Array, rating: Array) -> Array:
        """Score every item for a person who is not in the data, if the model can."""
        if self._fold_in is None:
            return super().fold_in(item_index, rating)
        return self._fold_in(self.model, self.biases, item_index, rating)

    def graph(self) -> Graph:
        """The model, with the ratings of the train subset if it completes rows."""
        return RowGraph(self) if self.takes_rows else PairGraph(self.model)

    def keras_model(self) -> keras.Model:
        """The model."""
        return self.model

    def _score_by_pairs(self, user_index: Array, item_index: Array) -> Array:
        scores = np.empty(len(user_index), np.float32)
        for start in range(0, len(scores), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            batch = (tf.constant(user_index[part]), tf.constant(item_index[part]))
            scores[part] = self._call(*batch).numpy()[:, 0]
        return scores

    def _score_by_rows(self, user_index: Array, item_index: Array) -> Array:
        scores = np.empty(len(user_index), np.float32)
        users, position = np.unique(user_index, return_inverse=True)
        order = np.argsort(position, kind="stable")
        ends = np.searchsorted(position[order], np.arange(len(users) + 1))
        for start in range(0, len(users), USERS_AT_ONCE):
            stop = min(start + USERS_AT_ONCE, len(users))
            completed = self._complete_rows(users[start:stop])
            pairs = order[ends[start] : ends[stop]]
            scores[pairs] = completed[position[pairs] - start, item_index[pairs]]
        return scores

    def _complete_rows(self, users: Array) -> Array:
        taken = self.rows.take(users)
        dense = np.zeros((len(users), self.spec.n_items), np.float32)
        position = np.repeat(np.arange(len(users)), taken.lengths())
        rating = taken.rating - self.biases.of_days(users[position], taken.day)
        dense[position, taken.column] = rating
        completed = self._call(tf.constant(users.astype(np.int32)), tf.constant(dense)).numpy()
        return np.asarray(completed)
