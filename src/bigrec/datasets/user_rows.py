"""Batches of whole users for models that take a row of ratings.

Rows travel sparse: the lengths of the rows, and their items and ratings one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from bigrec.datasets.read_ahead import ReadAhead
from bigrec.rows import ITEM_INDEX, RATING, ROW_LENGTHS, USER_INDEX, Rows

Array = np.ndarray[Any, Any]


class RowFeed:
    """The train subset as blocks of one batch of users each, in an order of its own each epoch."""

    def __init__(self, rows: Rows, *, batch_size: int, seed: int) -> None:
        """Make a feed.

        Args:
            rows: the train subset by user; users without ratings are left out.
            batch_size: users of a batch.
            seed: with the epoch, decides the order.
        """
        self._rows = rows
        self._users = np.flatnonzero(rows.lengths() > 0).astype(np.int32)
        self._batch_size, self._seed = batch_size, seed
        self.n_rows = rows.n_ratings
        self._ahead = ReadAhead(self.arrays, _pipeline, -(-len(self._users) // batch_size))

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Any]]:
        """Yield one epoch from a block on, as tensors; see `arrays` and ReadAhead."""
        return self._ahead.blocks(epoch, first_block)

    def close(self) -> None:
        """Stop reading ahead, after the last epoch."""
        self._ahead.close()

    def arrays(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Array]]:
        """Yield one epoch's blocks from a block on.

        Each holds user_index and row_lengths, (n,) int32, and item_index (int32) and rating
        (float32), (sum of row_lengths,).
        """
        users = np.random.default_rng([self._seed, epoch]).permutation(self._users)
        for start in range(first_block * self._batch_size, len(users), self._batch_size):
            batch = users[start : start + self._batch_size]
            taken = self._rows.take(batch)
            yield {
                USER_INDEX: batch,
                ROW_LENGTHS: taken.lengths().astype(np.int32),
                ITEM_INDEX: np.asarray(taken.column),
                RATING: np.asarray(taken.rating),
            }


def _pipeline(batches: Callable[[], Iterator[dict[str, Array]]]) -> tf.data.Dataset:
    signature = {
        USER_INDEX: tf.TensorSpec((None,), tf.int32),
        ROW_LENGTHS: tf.TensorSpec((None,), tf.int32),
        ITEM_INDEX: tf.TensorSpec((None,), tf.int32),
        RATING: tf.TensorSpec((None,), tf.float32),
    }
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(4)
