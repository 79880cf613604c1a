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


class PairFeed:
    """The train side as blocks of batches, in an order of its own each epoch."""

    def __init__(self, shards: list[Path], *, batch_size: int, seed: int) -> None:
        """Make a feed; nothing is read yet.

        Args:
            shards: shuffled shards.
            batch_size: rows of a batch.
            seed: with the epoch, decides the order.
        """
        self._shards = shards
        self._batch_size, self._seed = batch_size, seed
        self._lengths = [len(np.load(shard, mmap_mode="r")) for shard in shards]
        self.n_rows = sum(self._lengths)

    def blocks(self, epoch: int, first_block: int = 0) -> tf.data.Dataset:
        """One epoch from a block on, as a tf.data pipeline that reads ahead; see `arrays`."""
        signature = {
            name: tf.TensorSpec((None, None), tf.as_dtype(dtype)) for name, dtype in _FIELDS.items()
        }
        blocks = tf.data.Dataset.from_generator(
            lambda: self.arrays(epoch, first_block), output_signature=signature
        )
        return blocks.prefetch(2)

    def arrays(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Array]]:
        """Yield one epoch's blocks from a block on; shards of blocks before it are not read.

        Each array is (n_batches, batch_size); the rows that do not fill a batch come last, as
        (1, n).
        """
        block_rows = BLOCK_BATCHES * self._batch_size
        n_whole_blocks = self.n_rows // block_rows
        skipped = min(first_block, n_whole_blocks) * block_rows
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._shards))
        rest: Array | None = None
        for number in order.tolist():
            n_rows = self._lengths[number]
            if skipped >= n_rows:
                skipped -= n_rows
                continue
            permutation = np.random.default_rng([self._seed, epoch, number]).permutation(n_rows)
            pairs = np.load(self._shards[number])[permutation[skipped:]]
            skipped = 0
            if rest is not None:
                pairs = np.concatenate((rest, pairs))
            n_whole = len(pairs) // block_rows * block_rows
            for start in range(0, n_whole, block_rows):
                yield _block(pairs[start : start + block_rows], self._batch_size)
            rest = pairs[n_whole:]
        if rest is not None:
            yield from list(self._last_blocks(rest))[max(first_block - n_whole_blocks, 0) :]

    def _last_blocks(self, pairs: Array) -> Iterator[dict[str, Array]]:
        n_whole = len(pairs) // self._batch_size * self._batch_size
        if n_whole:
            yield _block(pairs[:n_whole], self._batch_size)
        if n_whole < len(pairs):
            yield _block(pairs[n_whole:], len(pairs) - n_whole)


def _block(pairs: Array, batch_size: int) -> dict[str, Array]:
    return {name: np.ascontiguousarray(pairs[name]).reshape(-1, batch_size) for name in _FIELDS}
