"""The step loop of the one-layer AutoRec: rows travel sparse, and only a batch is made dense.

It is made dense over the columns that occur in it, and only their weights are read and updated. So
a batch never costs more than its ratings or than all columns, whichever is less, and its work is
matrix products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from bigrec.models.autorec.model import AutoRecOptions
from bigrec.models.autorec.network import codes_and_decoder
from bigrec.models.baseline.bias import Biases
from bigrec.rows import ITEM_INDEX, RATING, ROW_LENGTHS, USER_INDEX, Rows
from bigrec.train.loop import Block
from bigrec.train.optimizers import ADAGRAD_EPSILON
from bigrec.train.priors import PriorMeans, both_incidences


class _DenseRows(NamedTuple):
    """A batch of rows over the n columns that occur in it."""

    columns: Any
    """(n,) int32, ascending."""
    counts: Any
    """(n,) float32: ratings of each in the batch."""
    residual: Any
    """(n_rows, n) float32: ratings less the bias model, 0 for none."""
    rated: Any
    """(n_rows, n) float32: 1 for a rating, 0 for none."""
    presence: Any
    """(n_rows, 1) float32: the weight of a rating's existence."""


class CodeLoop:
    """Trains the encoder and the decoder of a one-layer AutoRec; see bigrec.models.autorec.model.

    The decoder is a table of the model, which also has one for the codes of all rows, computed
    after each epoch. The encoder lives only here.
    """

    def __init__(
        self, model: keras.Model, options: AutoRecOptions, rows: Rows, biases: Biases,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        """Take the train subset by item if that is the basis, else by user.

        Prior means are refitted by so many threads; by as many as there are cores if None.
        """
        self.learning_rate_factor = tf.Variable(1.0, name="learning_rate_factor")
        self._options, self._rows = options, rows
        bases = (biases.item, biases.user) if options.basis == "item" else (
            biases.user, biases.item
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
        by_column = both_incidences(rows, n_columns, threads)[1]
        penalty = options.row_l2 * np.maximum(by_column.counts, 1) ** -options.row_l2_power
        self._penalty = tf.constant(penalty, tf.float32)
        self._prior = PriorMeans(by_column, size, penalty=penalty, l2=options.implicit_l2)
        self._dropout_seed = keras.random.SeedGenerator()
        self.variables = [
            *self._trained, self._codes, *self._slots, *self._prior.variables,
            self._dropout_seed.state.value, self.learning_rate_factor,
        ]  # fmt: skip
        self._train_batch = tf.function(self._step, reduce_retracing=True, autograph=False)
        self._encode_batch = tf.function(self._encode, reduce_retracing=True, autograph=False)

    def train_block(self, block: Block) -> tuple[float, int]:
        """Train on one batch of rows; see Loop."""
        squares = self._train_batch(
            block[USER_INDEX], block[ROW_LENGTHS], block[ITEM_INDEX], block[RATING]
        )
        return float(squares), int(tf.size(block[RATING]))

    def end_epoch(self) -> None:
        """Compute the codes of all rows."""
        n_at_once = self._options.batch_size
        for start in range(0, self._rows.n_rows, n_at_once):
            rows = np.arange(start, min(start + n_at_once, self._rows.n_rows))
            taken = self._rows.take(rows)
            columns, ratings = tf.constant(taken.column), tf.constant(taken.rating)
            lengths = tf.constant(taken.lengths(), tf.int32)
            codes = self._encode_batch(tf.constant(rows, tf.int32), lengths, columns, ratings)
            self._codes.scatter_update(tf.IndexedSlices(codes, rows))

    def between_epochs(self) -> None:
        """Refit the means that the decoder is drawn towards."""
        if self._options.implicit_l2:
            self._prior.refit(self._decoder)

    def _make_dense(self, row: Any, lengths: Any, column: Any, rating: Any) -> _DenseRows:
        counts = tf.math.bincount(column, minlength=len(self._column_base))
        occurs = counts > 0
        positions = tf.cumsum(tf.cast(occurs, tf.int32)) - 1  # of a column among those that occur
        columns = tf.cast(tf.where(occurs)[:, 0], tf.int32)
        owner = tf.repeat(tf.range(tf.size(row)), lengths)  # (n_ratings,)
        base = tf.gather(tf.gather(self._row_base, row), owner)
        residual = rating - base - tf.gather(self._column_base, column)
        cells = tf.stack([owner, tf.gather(positions, column)], axis=1)  # (n_ratings, 2)
        shape = tf.stack([tf.size(row), tf.size(columns)])
        return _DenseRows(
            columns=columns,
            counts=tf.cast(tf.gather(counts, columns), tf.float32),
            residual=tf.scatter_nd(cells, residual, shape),
            rated=tf.scatter_nd(cells, tf.ones_like(rating), shape),
            presence=self._options.presence
            * tf.math.rsqrt(tf.cast(tf.maximum(lengths, 1), tf.float32))[:, None],
        )

    def _hidden(self, rows: _DenseRows, by_residual: Any, by_presence: Any) -> Any:
        """The codes of rows, (n_rows, size), from the encoder's rows of their columns."""
        sums = rows.residual @ by_residual + rows.presence * (rows.rated @ by_presence)
        return tf.sigmoid(sums + self._hidden_bias)

    def _encode(self, row: Any, lengths: Any, column: Any, rating: Any) -> Any:
        rows = self._make_dense(row, lengths, column, rating)
        encoder = self._residual_weights, self._presence_weights
        return self._hidden(rows, *(table.sparse_read(rows.columns) for table in encoder))

    def _step(self, row: Any, lengths: Any, column: Any, rating: Any) -> Any:
        options = self._options
        rows = self._make_dense(row, lengths, column, rating)
        sources = [table.sparse_read(rows.columns) for table in self._trained[:4]]
        by_residual, by_presence, decoder, bias = sources
        with tf.GradientTape() as tape:
            tape.watch(sources)
            codes = self._hidden(rows, by_residual, by_presence)
            codes = keras.random.dropout(codes, options.hidden_dropout, seed=self._dropout_seed)
            scores = tf.matmul(codes, decoder, transpose_b=True) + bias[:, 0]
            # A residual is 0 where there is no rating.
            squares = tf.reduce_sum(tf.square(rows.rated * scores - rows.residual))
            distance = decoder - self._prior.means.sparse_read(rows.columns)
            norms = tf.reduce_sum(
                tf.square(by_residual) + options.presence_l2 * tf.square(by_presence)
                + tf.square(distance), axis=1,
            )  # fmt: skip
            penalties = tf.gather(self._penalty, rows.columns) * norms
            penalties += options.bias_l2 * tf.square(bias[:, 0])
            loss = (squares + tf.reduce_sum(rows.counts * penalties)) / 2
        gradients = tape.gradient(loss, [*sources, self._hidden_bias])
        rate = options.learning_rate * self.learning_rate_factor
        for number, gradient in enumerate(gradients):
            step = {
                "var": self._trained[number].handle, "accum": self._slots[number].handle,
                "lr": rate, "epsilon": ADAGRAD_EPSILON, "grad": gradient,
            }  # fmt: skip
            if number < len(sources):
                tf.raw_ops.ResourceSparseApplyAdagradV2(**step, indices=rows.columns)
            else:
                tf.raw_ops.ResourceApplyAdagradV2(**step)
        return squares
