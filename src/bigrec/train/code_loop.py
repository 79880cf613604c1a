"""The step loop of the one-layer AutoRec, on sparse rows: nothing is ever made dense.

The encoder gathers its weights for the ratings of a batch, the decoder is scored at those ratings
alone, and both are updated in place. A batch costs memory by its ratings, not by users times
movies.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from bigrec.features import MOVIE_INDEX, RATING, ROW_LENGTHS, USER_INDEX, UserRows
from bigrec.models.autorec import AutoRecOptions, codes_and_decoder
from bigrec.models.bias import Biases
from bigrec.train.loop import Block
from bigrec.train.optimizers import ADAGRAD_EPSILON
from bigrec.train.priors import PriorMeans, both_sides

_CODES_AT_ONCE: Final = 256


class CodeLoop:
    """Trains the encoder and the decoder of a one-layer AutoRec; see bigrec.models.autorec.

    The decoder is a table of the model, which also has one for the codes of all rows, computed
    after each epoch. The encoder lives only here.
    """

    def __init__(
        self, model: keras.Model, options: AutoRecOptions, rows: UserRows, biases: Biases
    ) -> None:
        """Take the train side by movie if that is the basis, else by user."""
        self.learning_rate_factor = tf.Variable(1.0, name="learning_rate_factor")
        self._options, self._rows = options, rows
        bases = (biases.movie, biases.user) if options.basis == "item" else (
            biases.user, biases.movie
        )  # fmt: skip
        self._row_base, self._column_base = tf.constant(bases[0] + biases.mean), bases[1]
        self._codes, self._decoder, self._bias = codes_and_decoder(model, options)
        n_columns, size = self._decoder.shape
        self._residual_weights = tf.Variable(tf.identity(self._decoder), name="residual_weights")
        self._presence_weights = tf.Variable(tf.zeros((n_columns, size)), name="presence_weights")
        self._hidden_bias = tf.Variable(tf.zeros(size), name="hidden_bias")
        self._trained = [
            self._residual_weights, self._presence_weights, self._decoder, self._bias,
            self._hidden_bias,
        ]  # fmt: skip
        self._slots = [tf.Variable(tf.zeros_like(variable)) for variable in self._trained]
        by_column = both_sides(rows, n_columns)[1]
        penalty = options.row_l2 * np.maximum(by_column.counts, 1) ** -options.row_l2_power
        self._penalty = tf.constant(penalty, tf.float32)
        self._prior = PriorMeans(by_column, size, penalty=penalty, l2=options.implicit_l2)
        self._dropout_seed = keras.random.SeedGenerator()
        self.variables = [
            *self._trained, self._codes, *self._slots, *self._prior.variables,
            self._dropout_seed.state.value, self.learning_rate_factor,
        ]  # fmt: skip
        self._train_batch = tf.function(self._step, reduce_retracing=True)
        self._encode_batch = tf.function(self._encode, reduce_retracing=True)

    def train_block(self, block: Block) -> tuple[float, int]:
        """Train on one batch of rows; see Loop."""
        squares = self._train_batch(
            block[USER_INDEX], block[ROW_LENGTHS], block[MOVIE_INDEX], block[RATING]
        )
        return float(squares), int(tf.size(block[RATING]))

    def end_epoch(self) -> None:
        """Compute the codes of all rows; refit the means that the decoder is drawn towards."""
        if self._options.implicit_l2:
            self._prior.refit(self._decoder)
        for start in range(0, self._rows.n_users, _CODES_AT_ONCE):
            rows = np.arange(start, min(start + _CODES_AT_ONCE, self._rows.n_users))
            taken = self._rows.take(rows)
            columns, ratings = tf.constant(taken.movie_index), tf.constant(taken.rating)
            lengths = tf.constant(taken.lengths(), tf.int32)
            codes = self._encode_batch(tf.constant(rows, tf.int32), lengths, columns, ratings)
            self._codes.scatter_update(tf.IndexedSlices(codes, rows))

    def _encode(self, row: Any, lengths: Any, column: Any, rating: Any) -> Any:
        """The codes of rows: (n_rows, size)."""
        place = tf.repeat(tf.range(tf.size(row)), lengths)  # (n_ratings,)
        gathered = (self._residual_weights.sparse_read(column),
                    self._presence_weights.sparse_read(column))  # fmt: skip
        return self._hidden(place, lengths, self._residual(row, place, column, rating), *gathered)

    def _residual(self, row: Any, place: Any, column: Any, rating: Any) -> Any:
        base = tf.gather(tf.gather(self._row_base, row), place)
        return rating - base - tf.gather(self._column_base, column)

    def _hidden(
        self, place: Any, lengths: Any, residual: Any, by_residual: Any, by_presence: Any
    ) -> Any:
        weight = self._options.presence * tf.math.rsqrt(
            tf.cast(tf.gather(tf.maximum(lengths, 1), place), tf.float32)
        )
        terms = residual[:, None] * by_residual + weight[:, None] * by_presence
        sums = tf.math.unsorted_segment_sum(terms, place, tf.size(lengths))
        return tf.sigmoid(sums + self._hidden_bias)

    def _step(self, row: Any, lengths: Any, column: Any, rating: Any) -> Any:
        options = self._options
        place = tf.repeat(tf.range(tf.size(row)), lengths)
        residual = self._residual(row, place, column, rating)
        by_residual, by_presence, decoder, bias = (
            table.sparse_read(column) for table in self._trained[:4]
        )
        with tf.GradientTape() as tape:
            sources = [by_residual, by_presence, decoder, bias]
            tape.watch(sources)
            codes = self._hidden(place, lengths, residual, by_residual, by_presence)
            codes = keras.random.dropout(codes, options.hidden_dropout, seed=self._dropout_seed)
            scores = tf.reduce_sum(tf.gather(codes, place) * decoder, axis=1) + bias[:, 0]
            squares = tf.reduce_sum(tf.square(scores - residual))
            distance = decoder - self._prior.means.sparse_read(column)
            norms = tf.reduce_sum(
                tf.square(by_residual) + options.presence_l2 * tf.square(by_presence)
                + tf.square(distance), axis=1,
            )  # fmt: skip
            penalty = tf.reduce_sum(tf.gather(self._penalty, column) * norms)
            penalty += options.bias_l2 * tf.reduce_sum(tf.square(bias))
            loss = (squares + penalty) / 2
        gradients = tape.gradient(loss, [*sources, self._hidden_bias])
        rate = options.learning_rate * self.learning_rate_factor
        for number, gradient in enumerate(gradients):
            step = {
                "var": self._trained[number].handle, "accum": self._slots[number].handle,
                "lr": rate, "epsilon": ADAGRAD_EPSILON, "grad": gradient,
            }  # fmt: skip
            if number < len(sources):
                tf.raw_ops.ResourceSparseApplyAdagradV2(**step, indices=column)
            else:
                tf.raw_ops.ResourceApplyAdagradV2(**step)
        return squares
