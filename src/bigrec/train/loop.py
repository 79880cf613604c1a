"""The step loops: one call a block of batches, not one a step.

A loop takes one block of a feed at a time and returns the squared errors over it. XLA compiles the
loop over the batches of a block as a whole, so that gathers, gradients and scattered updates of
embedding rows become a few fused kernels in place, and a step touches only the rows of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import keras
import tensorflow as tf

from bigrec.datasets.pairs import BLOCK_BATCHES, unpack
from bigrec.datasets.training_data import Shards
from bigrec.models.factorization.network import ITEM_FACTORS, USER_FACTORS
from bigrec.models.layers import RowEmbedding
from bigrec.models.options import GradientOptions
from bigrec.rows import ITEM_INDEX, PAIRS, RATING, ROW_LENGTHS, USER_INDEX
from bigrec.train.compiler import limit_unrolling
from bigrec.train.huge_pages import use_huge_pages
from bigrec.train.optimizers import make_optimizer
from bigrec.train.priors import FactorPenalty
from bigrec.train.replicas import (
    count_devices,
    run_step,
    take_part,
    take_rows_part,
)

Block = Mapping[str, Any]
"""Tensors by name, as a feed yields them."""


class Loop(Protocol):
    """Trains a model block by block."""

    learning_rate_factor: tf.Variable
    """Scalar float32 that multiplies every learning rate; 1 unless a schedule changes it."""
    variables: list[tf.Variable]
    """All that a checkpoint must hold: weights, seeds, optimizer state."""

    def train_block(self, block: Block) -> tuple[float, int]:
        """Train on a block; return the sum of squared errors before each step, and the ratings."""

    def end_epoch(self) -> None:
        """What the model needs after the last block of an epoch, before it is measured."""

    def between_epochs(self) -> None:
        """What the next epoch needs of those behind, before its first block."""


class PairLoop:
    """Trains a model of pairs on blocks of batches."""

    def __init__(
        self,
        model: keras.Model,
        options: GradientOptions,
        shards: Shards,
        penalty: FactorPenalty | None = None,
    ) -> None:
        """Take a model of pairs.

        Args:
            model: what is trained.
            options: its hyper-parameters.
            shards: tell the packing and the scale of the pairs.
            penalty: that of its factor tables; None for none.
        """
        self._packing, self._scale = shards.packing, shards.scale
        self._model = model
        self._penalty = penalty
        names = (USER_FACTORS, ITEM_FACTORS) if penalty is not None else ()
        tables = [model.get_layer(name) for name in names]
        self._tables = [table.embeddings for table in tables]
        self._with_rows = keras.Model(
            model.inputs, [model.output, *(table.output for table in tables)]
        )
        readers = {
            layer.embeddings.path: model.inputs.index(layer.input)
            for layer in model.layers
            if isinstance(layer, RowEmbedding)
        }
        trainable = model.trainable_variables
        self._optimizer = make_optimizer(
            trainable, options, [readers.get(variable.path) for variable in trainable]
        )
        self._trainable = [variable.value for variable in trainable]
        self.learning_rate_factor = self._optimizer.learning_rate_factor
        self.variables = [variable.value for variable in model.variables]
        self.variables += self._optimizer.variables
        self.variables += penalty.variables if penalty else []
        self._is_placed = False
        self._batch_size = options.batch_size
        limit_unrolling()
        # XLA compiles what one device does; an exchange among several is not of its functions.
        # AutoGraph would take up to a second to find no control flow of Python in it.
        self._train_block = tf.function(
            self._block, jit_compile=count_devices() == 1, autograph=False
        )

    def train_block(self, block: Block) -> tuple[float, int]:
        """Train on (n_batches, batch_size) pairs; see Loop."""
        if not self._is_placed:
            use_huge_pages(self.variables)
            self._is_placed = True
        pairs = block[PAIRS]
        n_batches, batch_size = pairs.shape
        # What is compiled is for one shape, and takes seconds: the last rows of an epoch are done
        # sooner op by op.
        train = self._block
        if batch_size == self._batch_size:
            # Fill up to the one shape that is compiled.
            pairs = tf.pad(pairs, [[0, BLOCK_BATCHES - n_batches], [0, 0]])
            train = self._train_block
        return float(train(pairs, tf.constant(n_batches))), n_batches * batch_size

    def end_epoch(self) -> None:
        """Nothing."""

    def between_epochs(self) -> None:
        """Refit the means that rows are drawn towards."""
        if self._penalty is not None:
            self._penalty.refit(*self._tables)
            self._is_placed = False  # what is assigned to has other memory

    def _block(self, pairs: Any, n_batches: Any) -> Any:
        def train_batch(batch: Any, total: Any) -> tuple[Any, Any]:
            return batch + 1, total + run_step(
                self._step, *unpack(pairs[batch], self._packing, self._scale)
            )

        # XLA would compile a loop with a fixed end anew for every length.
        _, total = tf.while_loop(lambda batch, _: batch < n_batches, train_batch, (0, 0.0))
        tf.distribute.get_strategy().run(self._optimizer.end_block)
        return total

    def _score(self, user: Any, item: Any) -> list[Any]:
        """Scores, and the rows of the tables if they have a penalty: (batch, …) each."""
        scored = self._with_rows([user, item], training=True)
        return scored if self._tables else [scored]  # Keras gives a single output as it is

    def _step(self, *batch: Any) -> Any:
        user, item, rating = take_part(*batch)
        n_rows = tf.size(batch[0])
        self._optimizer.read_rows(batch)
        with tf.GradientTape() as tape:
            scores, *rows = self._score(user, item)
            squares = tf.reduce_sum(tf.square(scores[:, 0] - rating))
            penalty = tf.add_n([*self._model.losses, 0.0])
            if self._penalty is not None:
                penalty += self._penalty.loss(user, item, *rows)
            # The terms of this part in the loss of the batch; penalties are means over rows.
            loss = squares / tf.cast(n_rows, tf.float32) + penalty / count_devices()
        self._optimizer.apply(tape.gradient(loss, self._trainable), n_rows)
        return squares


class RowLoop:
    """Trains a model that completes rows of ratings; a row is made dense only here, by batch."""

    def __init__(self, model: keras.Model, options: GradientOptions, n_items: int) -> None:
        self._model = model
        self._n_items = n_items
        trainable = model.trainable_variables
        self._optimizer = make_optimizer(trainable, options, [None] * len(trainable))
        self._trainable = [variable.value for variable in trainable]
        self.learning_rate_factor = self._optimizer.learning_rate_factor
        self.variables = [variable.value for variable in model.variables]
        self.variables += self._optimizer.variables
        self._train_batch = tf.function(self._batch, reduce_retracing=True, autograph=False)

    def train_block(self, block: Block) -> tuple[float, int]:
        """Train on one batch of users; see Loop."""
        squares = self._train_batch(
            block[USER_INDEX], block[ROW_LENGTHS], block[ITEM_INDEX], block[RATING]
        )
        return float(squares), int(tf.size(block[RATING]))

    def end_epoch(self) -> None:
        """Nothing."""

    def between_epochs(self) -> None:
        """Nothing."""

    def _batch(self, *batch: Any) -> Any:
        return run_step(self._step, *batch)

    def _step(self, *batch: Any) -> Any:
        user, lengths, item, rating = take_rows_part(*batch)
        n_users = tf.size(user)
        row = tf.repeat(tf.range(n_users), lengths)
        positions = tf.stack([row, item], axis=1)  # (n_ratings, 2)
        dense = tf.scatter_nd(positions, rating, tf.stack([n_users, self._n_items]))
        dense = tf.ensure_shape(dense, (None, self._n_items))
        with tf.GradientTape() as tape:
            scores = self._model([user, dense], training=True)
            squares = tf.reduce_sum(tf.square(tf.gather_nd(scores, positions) - rating))
            penalty = tf.add_n([*self._model.losses, 0.0])
            n_ratings = tf.cast(tf.size(batch[-1]), tf.float32)
            loss = squares / n_ratings + penalty / count_devices()
        self._optimizer.apply(tape.gradient(loss, self._trainable), tf.size(batch[0]))
        return squares
