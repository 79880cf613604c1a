"""Shuffled (user, movie, rating) batches for models that take pairs.

An epoch is a function of (seed, epoch): shards in a random order, each shuffled again. What travels
to TensorFlow is a block of many batches, never a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from bigrec.features import MOVIE_INDEX, RATING, USER_INDEX

Array = np.ndarray[Any, Any]

BLOCK_BATCHES: Final = 64
_FIELDS: Final = {USER_INDEX: np.int32, MOVIE_INDEX: np.int32, RATING: np.float32}


def pair_blocks(
    shards: list[Path], *, batch_size: int, seed: int, epoch: int
) -> Iterator[dict[str, Array]]:
    """Yield blocks of batches: each array is (n_batches, batch_size), the very last one (1, rest).

    Args:
        shards: shuffled shards.
        batch_size: rows of a batch.
        seed: with the epoch, decides the order.
        epoch: number of the pass over the data.
    """
    rng = np.random.default_rng([seed, epoch])
    block_rows = BLOCK_BATCHES * batch_size
    rest: Array | None = None
    for number in rng.permutation(len(shards)):
        pairs = np.load(shards[number])
        pairs = pairs[rng.permutation(len(pairs))]
        if rest is not None:
            pairs = np.concatenate((rest, pairs))
        n_whole = len(pairs) // block_rows * block_rows
        for start in range(0, n_whole, block_rows):
            yield _block(pairs[start : start + block_rows], batch_size)
        rest = pairs[n_whole:]
    if rest is not None:
        n_whole = len(rest) // batch_size * batch_size
        if n_whole:
            yield _block(rest[:n_whole], batch_size)
        if n_whole < len(rest):
            yield _block(rest[n_whole:], len(rest) - n_whole)


def pair_dataset(shards: list[Path], *, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
    """The blocks of `pair_blocks` as a tf.data pipeline that reads ahead."""
    signature = {
        name: tf.TensorSpec((None, None), tf.as_dtype(dtype)) for name, dtype in _FIELDS.items()
    }
    blocks = tf.data.Dataset.from_generator(
        lambda: pair_blocks(shards, batch_size=batch_size, seed=seed, epoch=epoch),
        output_signature=signature,
    )
    return blocks.prefetch(2)


def _block(pairs: Array, batch_size: int) -> dict[str, Array]:
    return {name: np.ascontiguousarray(pairs[name]).reshape(-1, batch_size) for name in _FIELDS}
