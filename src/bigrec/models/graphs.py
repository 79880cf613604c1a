"""Graphs of TensorFlow that score pairs, for scorers to be exported; see bigrec.models.serving."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from bigrec.models.scoring import check_finite

if TYPE_CHECKING:
    from bigrec.models.keras_scorer import KerasScorer

Array = np.ndarray[Any, Any]


class PairGraph(tf.Module):
    """Scores of a Keras model that takes pairs."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self._call, self._weights = _split(model)

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        """Scores of pairs, not clipped."""
        return self._call([user_index, item_index])[:, 0]


class RowGraph(tf.Module):
    """Scores of a Keras model that completes rows; it carries the ratings of the train subset."""

    def __init__(self, scorer: KerasScorer) -> None:
        super().__init__()
        self._call, self._weights = _split(scorer.model)
        self._n_items = scorer.spec.n_items
        rows = scorer.rows
        self._indptr = constant(rows.indptr.astype(np.int64))
        self._item_index = constant(np.asarray(rows.column))
        self._rating = constant(np.asarray(scorer.biases.less_days(rows)))

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        """Scores of pairs, not clipped."""
        users, position = tf.unique(user_index)
        starts, ends = tf.gather(self._indptr, users), tf.gather(self._indptr, users + 1)
        rows = tf.ragged.range(starts, ends)
        at = tf.stack(
            [
                tf.cast(rows.value_rowids(), tf.int32),
                tf.gather(self._item_index, rows.flat_values),
            ],
            axis=1,
        )  # (n_ratings, 2)
        shape = tf.stack([tf.size(users), self._n_items])
        dense = tf.scatter_nd(at, tf.gather(self._rating, rows.flat_values), shape)
        dense = tf.ensure_shape(dense, (None, self._n_items))
        completed = self._call([users, dense])  # (n_users, n_items)
        return tf.gather_nd(completed, tf.stack([position, item_index], axis=1))


def check_weights(model: keras.Model) -> None:
    """Refuse a model whose scores could be no numbers.

    Raises:
        RunError: a weight is no finite number.
    """
    for values in model.get_weights():
        check_finite(values)


def constant(values: Array) -> tf.Variable:
    """Values kept beside the graph: a constant inside it may not exceed 2 GB."""
    check_finite(values)
    return tf.Variable(values, trainable=False)


def _split(model: keras.Model) -> tuple[Callable[..., tf.Tensor], list[tf.Variable]]:
    """What computes, and the weights to save.

    A model that is an attribute would be saved itself, as well as the graph that calls it.
    """
    check_weights(model)
    return partial(model, training=False), [weight.value for weight in model.weights]
