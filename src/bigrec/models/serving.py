"""A scorer as one TensorFlow graph from raw ids to scores, which runs without bigrec.

Whatever a scorer does in NumPy around its Keras models is done here in the graph: ids are looked
up, rows of ratings are gathered, scores are blended, cold pairs get the bias model's score, and all
is clipped to the scale. Only days are left out: a score is that of a day without ratings.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bigrec.errors import RunError
from bigrec.models.blend import Blend
from bigrec.models.factorization.scorer import FactorScorer
from bigrec.models.keras_scorer import KerasScorer
from bigrec.models.knn.layer import build_model
from bigrec.models.knn.scorer import NeighbourScorer
from bigrec.models.scoring import Scorer, check_finite

Array = np.ndarray[Any, Any]
Graph = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class ServedModel(tf.Module):
    """Scores of raw ids. Save it with `save_served`."""

    def __init__(self, scorer: Scorer, user_ids: Array, item_ids: Array) -> None:
        """Build the graph.

        Args:
            scorer: a trained model or a blend.
            user_ids: (n_users,) int, ascending: the id of each user_index.
            item_ids: (n_items,) int, ascending: the id of each item_index.

        Raises:
            RunError: this scorer has no graph.
        """
        super().__init__()
        biases = scorer.biases
        self._users = _Side(user_ids, biases.user, biases.user_count)
        self._items = _Side(item_ids, biases.item, biases.item_count)
        self._mean = biases.mean
        self._scale = scorer.spec.min_rating, scorer.spec.max_rating
        self._warm = _warm_scorer(scorer)

    # AutoGraph would leave files in the temporary folder. Were it inlined into its signature and
    # into its casts, each of them would be optimized on its own, to other last bits.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def __call__(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score pairs; a saved model takes what `save_served` says.

        Args:
            user_id: (n,) int64 or int32, ids as in the source, known or not; n may be 0.
            item_id: (n,) likewise, as many.

        Returns:
            score: (n,) float32, stars, clipped to the scale. is_fallback: (n,) bool, whether the
            user or the item has no train row, so that the bias model gave the score.
        """
        if not user_id.dtype == item_id.dtype == tf.int64:
            scores: dict[str, tf.Tensor] = self(
                tf.cast(user_id, tf.int64), tf.cast(item_id, tf.int64)
            )
            return scores
        # Stacking refuses what is not as many of both; some models would spread one over the other.
        user_id, item_id = tf.unstack(tf.stack([user_id, item_id]))
        user_index, user_bias, is_user_warm = self._users.look_up(user_id)
        item_index, item_bias, is_item_warm = self._items.look_up(item_id)
        is_warm = tf.logical_and(is_user_warm, is_item_warm)
        fallback = self._mean + user_bias + item_bias
        scores = tf.where(is_warm, self._warm(user_index, item_index), fallback)
        return {
            "score": tf.clip_by_value(scores, *self._scale),
            "is_fallback": tf.logical_not(is_warm),
        }


def save_served(served: ServedModel, folder: Path) -> None:
    """Save it for tf.saved_model.load and TensorFlow Serving.

    Called as a function, the saved model takes two tensors, arrays or lists of one axis, each of
    int64 or int32, and refuses what has another type or number of axes. Its signature
    serving_default takes int64.

    Args:
        served: the graph.
        folder: where to save it.
    """
    for user_type, item_type in itertools.product((tf.int64, tf.int32), repeat=2):
        # Each kind of call is a graph of its own; those that cast call the one that scores.
        served.__call__.get_concrete_function(
            tf.TensorSpec((None,), user_type, "user_id"),
            tf.TensorSpec((None,), item_type, "item_id"),
        )
    serving = served.__call__.get_concrete_function(
        tf.TensorSpec((None,), tf.int64, "user_id"), tf.TensorSpec((None,), tf.int64, "item_id")
    )
    with _scratch_in(folder):
        tf.saved_model.save(served, str(folder), signatures=serving)


@contextmanager
def _scratch_in(folder: Path) -> Iterator[None]:
    """Let temporary files be made in a folder that is removed at the end.

    Saving traces a function of TensorFlow's own, whose code AutoGraph writes to a temporary file
    that stays where the process ends at once or is killed.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        tempfile.tempdir = scratch
        try:
            yield
        finally:
            tempfile.tempdir = before


class _Side(tf.Module):
    """Ids of users or of items, with their biases."""

    def __init__(self, ids: Array, bias: Array, count: Array) -> None:
        super().__init__()
        self._ids = _constant(ids.astype(np.int64))
        self._bias = _constant(bias)
        self._is_warm = _constant(count > 0)

    def look_up(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Index, bias and whether there are train rows: (n,) each; 0, 0, no for an unknown id."""
        place = tf.minimum(tf.searchsorted(self._ids, ids), tf.size(self._ids) - 1)
        is_known = tf.gather(self._ids, place) == ids
        index = tf.where(is_known, place, 0)
        bias = tf.where(is_known, tf.gather(self._bias, index), 0.0)
        return index, bias, tf.logical_and(is_known, tf.gather(self._is_warm, index))


class _PairScores(tf.Module):
    """Scores of a Keras model that takes pairs."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self._call, self._weights = _split(model)

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        return self._call([user_index, item_index])[:, 0]


class _FactorScores(tf.Module):
    """Scores that are dot products."""

    def __init__(self, scorer: FactorScorer) -> None:
        super().__init__()
        factors = scorer.factors
        self._mean = scorer.spec.mean_rating
        self._users, self._items = (
            _constant(factors.user_factors),
            _constant(factors.item_factors),
        )
        self._user_bias, self._item_bias = (
            _constant(factors.user_bias),
            _constant(factors.item_bias),
        )

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        users, items = tf.gather(self._users, user_index), tf.gather(self._items, item_index)
        bias = tf.gather(self._user_bias, user_index) + tf.gather(self._item_bias, item_index)
        return self._mean + bias + tf.reduce_sum(users * items, axis=1)


class _RowScores(tf.Module):
    """Scores of a Keras model that completes rows; it carries the ratings of the train side."""

    def __init__(self, recommender: KerasScorer) -> None:
        super().__init__()
        self._call, self._weights = _split(recommender.model)
        self._n_items = recommender.spec.n_items
        rows = recommender.rows
        self._indptr = _constant(rows.indptr.astype(np.int64))
        self._item_index = _constant(np.asarray(rows.item_index))
        self._rating = _constant(np.asarray(recommender.biases.less_days(rows)))

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        users, place = tf.unique(user_index)
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
        return tf.gather_nd(completed, tf.stack([place, item_index], axis=1))


class _BlendedScores(tf.Module):
    """Scores of a blend."""

    def __init__(self, blend: Blend) -> None:
        super().__init__()
        biases = blend.biases
        self._weights = blend.weights
        self._components = [_warm_scorer(one) for one in blend.components]
        self._mean = biases.mean
        self._user_bias, self._item_bias = _constant(biases.user), _constant(biases.item)
        self._user_support = _constant(blend.user_support)
        self._item_support = _constant(blend.item_support)

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        return self._weights.combine(
            self._mean
            + tf.gather(self._user_bias, user_index)
            + tf.gather(self._item_bias, item_index),
            [one(user_index, item_index) for one in self._components],
            tf.gather(self._user_support, user_index),
            tf.gather(self._item_support, item_index),
        )


def _warm_scorer(scorer: Scorer) -> Graph:
    """user_index, item_index (n,) int32 to scores (n,) float32, not clipped."""
    if isinstance(scorer, Blend):
        return _BlendedScores(scorer)
    if isinstance(scorer, FactorScorer):
        return _FactorScores(scorer)
    if isinstance(scorer, KerasScorer):
        return _RowScores(scorer) if scorer.takes_rows else _PairScores(scorer.model)
    if isinstance(scorer, NeighbourScorer):
        return _PairScores(build_model(scorer))
    raise RunError(f"{type(scorer).__name__} has no TensorFlow graph to export")


def _split(model: keras.Model) -> tuple[Callable[..., tf.Tensor], list[tf.Variable]]:
    """What computes, and the weights to save.

    A model that is an attribute would be saved itself, as well as the graph that calls it.
    """
    check_weights(model)
    return partial(model, training=False), [weight.value for weight in model.weights]


def check_weights(model: keras.Model) -> None:
    """Refuse a model whose scores could be no numbers.

    Raises:
        RunError: a weight is no finite number.
    """
    for values in model.get_weights():
        check_finite(values)


def _constant(values: Array) -> tf.Variable:
    """Values kept beside the graph: a constant inside it may not exceed 2 GB."""
    check_finite(values)
    return tf.Variable(values, trainable=False)
