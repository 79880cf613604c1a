"""Batches of whole users for models that take a row of ratings.

Rows travel sparse: the lengths of the rows, and their movies and ratings one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from bigrec.features import MOVIE_INDEX, RATING, ROW_LENGTHS, USER_INDEX, UserRows

Array = np.ndarray[Any, Any]


def row_batches(
    rows: UserRows, *, batch_size: int, seed: int, epoch: int
) -> Iterator[dict[str, Array]]:
    """Yield the rows of batch_size users at a time, in an order given by (seed, epoch).

    Each batch holds user_index and row_lengths, (n,) int32, and movie_index (int32) and rating
    (float32), (sum of row_lengths,). Users without ratings are left out.
    """
    users = np.flatnonzero(rows.lengths() > 0)
    users = np.random.default_rng([seed, epoch]).permutation(users)
    for start in range(0, len(users), batch_size):
        batch = users[start : start + batch_size]
        taken = rows.take(batch)
        yield {
            USER_INDEX: batch.astype(np.int32),
            ROW_LENGTHS: taken.lengths().astype(np.int32),
            MOVIE_INDEX: np.asarray(taken.movie_index),
            RATING: np.asarray(taken.rating),
        }


def row_dataset(rows: UserRows, *, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
    """The batches of `row_batches` as a tf.data pipeline that reads ahead."""
    signature = {
        USER_INDEX: tf.TensorSpec((None,), tf.int32),
        ROW_LENGTHS: tf.TensorSpec((None,), tf.int32),
        MOVIE_INDEX: tf.TensorSpec((None,), tf.int32),
        RATING: tf.TensorSpec((None,), tf.float32),
    }
    batches = tf.data.Dataset.from_generator(
        lambda: row_batches(rows, batch_size=batch_size, seed=seed, epoch=epoch),
        output_signature=signature,
    )
    return batches.prefetch(4)
