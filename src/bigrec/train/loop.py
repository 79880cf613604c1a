"""The step loops, inside the graph: one call a block of batches, not one a step.

A loop takes a tf.data pipeline for one epoch and returns the mean squared error over it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from bigrec.features import MOVIE_INDEX, RATING, ROW_LENGTHS, USER_INDEX
from bigrec.models.options import GradientOptions
from bigrec.train.optimizers import make_optimizer

OnRows = Callable[[int], None]


class PairLoop:
    """Trains a model of pairs on blocks of batches."""

    def __init__(self, model: keras.Model, options: GradientOptions) -> None:
        self._model = model
        self._optimizer = make_optimizer(model.trainable_variables, options)
        self._variables = [variable.value for variable in model.trainable_variables]
        self._train_block = tf.function(self._block, reduce_retracing=True)

    def run_epoch(self, blocks: tf.data.Dataset, on_rows: OnRows) -> float:
        """Train on every block; return the mean squared error of the epoch's predictions."""
        total, n_rows = 0.0, 0
        for block in blocks:
            total += float(self._train_block(block[USER_INDEX], block[MOVIE_INDEX], block[RATING]))
            n_block = int(tf.size(block[RATING]))
            n_rows += n_block
            on_rows(n_block)
        return total / n_rows

    def _block(self, user: Any, movie: Any, rating: Any) -> Any:
        total = tf.constant(0.0)
        for batch in tf.range(tf.shape(user)[0]):
            total += self._step(user[batch], movie[batch], rating[batch])
        return total

    def _step(self, user: Any, movie: Any, rating: Any) -> Any:
        with tf.GradientTape() as tape:
            scores = self._model([user, movie], training=True)[:, 0]
            squares = tf.square(scores - rating)
            loss = tf.reduce_mean(squares) + tf.add_n([*self._model.losses, 0.0])
        self._optimizer.apply(tape.gradient(loss, self._variables), tf.size(rating))
        return tf.reduce_sum(squares)


class RowLoop:
    """Trains a model that completes rows of ratings; a row is made dense only here, by batch."""

    def __init__(self, model: keras.Model, options: GradientOptions, n_movies: int) -> None:
        self._model = model
        self._n_movies = n_movies
        self._optimizer = make_optimizer(model.trainable_variables, options)
        self._variables = [variable.value for variable in model.trainable_variables]
        self._train_batch = tf.function(self._step, reduce_retracing=True)

    def run_epoch(self, batches: tf.data.Dataset, on_rows: OnRows) -> float:
        """Train on every batch; return the mean squared error over the epoch's ratings."""
        total, n_rows = 0.0, 0
        for batch in batches:
            total += float(
                self._train_batch(
                    batch[USER_INDEX], batch[ROW_LENGTHS], batch[MOVIE_INDEX], batch[RATING]
                )
            )
            n_batch = int(tf.size(batch[RATING]))
            n_rows += n_batch
            on_rows(n_batch)
        return total / n_rows

    def _step(self, user: Any, lengths: Any, movie: Any, rating: Any) -> Any:
        n_users = tf.shape(user)[0]
        row = tf.repeat(tf.range(n_users), lengths)
        places = tf.stack([row, movie], axis=1)  # (n_ratings, 2)
        dense = tf.scatter_nd(places, rating, tf.stack([n_users, self._n_movies]))
        dense = tf.ensure_shape(dense, (None, self._n_movies))
        with tf.GradientTape() as tape:
            scores = self._model([user, dense], training=True)
            squares = tf.square(tf.gather_nd(scores, places) - rating)
            loss = tf.reduce_mean(squares) + tf.add_n([*self._model.losses, 0.0])
        self._optimizer.apply(tape.gradient(loss, self._variables), n_users)
        return tf.reduce_sum(squares)
