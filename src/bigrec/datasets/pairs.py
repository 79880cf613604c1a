"""Shuffled pairs for models that take a user, an item and a rating.

An epoch is a function of (seed, epoch): shards in a random order, each shuffled again. What travels
to TensorFlow is a block of many batches, never a row, and a rating travels in 8 bytes (see
bigrec.interactions), to be unpacked where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from bigrec.datasets.read_ahead import ReadAhead
from bigrec.interactions import Packing, Scale
from bigrec.rows import PAIRS
from bigrec.splits.shuffling import shuffle_pairs

Array = np.ndarray[Any, Any]

BLOCK_BATCHES: Final = 128
_ROWS_AHEAD: Final = 1 << 20


def unpack(pairs: Any, packing: Packing, scale: Scale) -> tuple[Any, Any, Any]:
    """Unpack a tensor of int64 pairs: user_index and item_index, int32; rating, float32."""
    user = tf.bitwise.right_shift(pairs, tf.constant(packing.user_shift, tf.int64))
    item = tf.bitwise.right_shift(pairs, tf.constant(packing.item_shift, tf.int64))
    codes = tf.cast(pairs & packing.code_mask, tf.int32)
    if scale.step:
        rating = tf.cast(codes, tf.float32) * scale.step + scale.low
    else:
        rating = tf.gather(tf.constant(scale.table), codes)
    return tf.cast(user, tf.int32), tf.cast(item & packing.item_mask, tf.int32), rating


class PairFeed:
    """The train subset as blocks of batches, in an order of its own each epoch."""

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
        n_rest = self.n_rows % self._block_rows
        n_last = (n_rest >= batch_size) + (n_rest % batch_size > 0)
        self._ahead = ReadAhead(
            self._stacks, self._pipeline, self.n_rows // self._block_rows + n_last
        )

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Any]]:
        """Yield one epoch from a block on, as tensors; see `arrays` and ReadAhead."""
        return self._ahead.blocks(epoch, first_block)

    def close(self) -> None:
        """Stop reading ahead, after the last epoch."""
        self._ahead.close()

    def dataset(self, epoch: int, first_block: int = 0) -> tf.data.Dataset:
        """One epoch from a block on, as a tf.data pipeline that reads ahead; see `arrays`."""
        return self._pipeline(lambda: self._stacks(epoch, first_block))

    def arrays(self, epoch: int, first_block: int = 0) -> Iterator[Array]:
        """Yield one epoch's blocks from a block on; shards of blocks before it are not read.

        Each is (n_batches, batch_size) int64; the rows that do not fill a batch come last, as
        (1, n).
        """
        for stack in self._stacks(epoch, first_block):
            yield from stack

    def _stacks(self, epoch: int, first_block: int) -> Iterator[Array]:
        """The blocks of a shard at a time, so that Python is rarely asked: (n_blocks, ...)."""
        n_whole_blocks = self.n_rows // self._block_rows
        skipped = min(first_block, n_whole_blocks) * self._block_rows
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._shards))
        rest = np.empty(0, np.int64)
        for number in order.tolist():
            if skipped >= self._lengths[number]:
                skipped -= self._lengths[number]
                continue
            pairs = np.load(self._shards[number])
            shuffle_pairs(pairs, self._seed, epoch, number)
            pairs = np.concatenate((rest, pairs[skipped:]))
            skipped = 0
            n_whole = len(pairs) // self._block_rows * self._block_rows
            if n_whole:
                yield pairs[:n_whole].reshape(-1, BLOCK_BATCHES, self._batch_size)
            rest = pairs[n_whole:]
        yield from list(self._last_blocks(rest))[max(first_block - n_whole_blocks, 0) :]

    def _pipeline(self, stacks: Callable[[], Iterator[Array]]) -> tf.data.Dataset:
        blocks = tf.data.Dataset.from_generator(
            lambda: ({PAIRS: pairs} for pairs in stacks()),
            output_signature={PAIRS: tf.TensorSpec((None, None, None), tf.int64)},
        ).unbatch()
        return blocks.prefetch(max(1, _ROWS_AHEAD // self._block_rows))

    @property
    def _block_rows(self) -> int:
        return BLOCK_BATCHES * self._batch_size

    def _last_blocks(self, pairs: Array) -> Iterator[Array]:
        n_whole = len(pairs) // self._batch_size * self._batch_size
        if n_whole:
            yield pairs[:n_whole].reshape(1, -1, self._batch_size)
        if n_whole < len(pairs):
            yield pairs[n_whole:].reshape(1, 1, -1)
