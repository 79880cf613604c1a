"""Compiled loops that bring the selected rows of a split into the orders that training reads."""

from __future__ import annotations

import numpy as np

from bigrec.compiled import compiled
from bigrec.splitmix import GOLDEN, mix64
from bigrec.splits.kernels import TEST, TRAIN, VALIDATION, code_of, item_of

_HALF = np.uint64(32)


@compiled
def _below(bound, state):  # type: ignore[no-untyped-def]
    """A number from 0 up to bound, exclusive, out of 64 random bits."""
    return np.int64((mix64(state) >> _HALF) * np.uint64(bound) >> _HALF)


@compiled
def order_rows(pair, packing, table, subset, n_shards, seed, buckets, out):  # type: ignore[no-untyped-def]
    """Order rows by subset and, once more, throw those of the train subset into shards at random.

    Rows keep their order within each subset and each shard. Nothing here branches on a row: where
    it goes is as good as random, and a processor would guess wrong.

    Args:
        pair: (n,) int64.
        packing: Packing of the pairs.
        table: (n_values,) float32, the rating of each code.
        subset: (n,) uint8.
        n_shards: below 2^16 - 1.
        seed: another seed throws independently.
        buckets: (n,) uint16, for use in between.
        out: item_index, (n,) int32, and rating, (n,) float32, both by subset; subset_ends,
            (N_SUBSETS + 1,) int64; pairs, (n,) int64, by shard, other subsets behind the last one;
            shard_ends, (n_shards + 2,) int64.
    """
    item_index, rating, subset_ends, pairs, shard_ends = out
    n_train = n_validation = 0
    for row in range(len(subset)):
        n_train += int(subset[row] == TRAIN)
        n_validation += int(subset[row] == VALIDATION)
    subset_ends[:] = 0, n_train, n_train + n_validation, len(subset)
    shard_ends[:] = 0
    train, validation, test = np.uint64(0), np.uint64(n_train), np.uint64(n_train + n_validation)
    start = mix64(np.uint64(seed) + GOLDEN)
    for row in range(len(subset)):
        is_train, is_validation = subset[row] == TRAIN, subset[row] == VALIDATION
        position = train if is_train else (validation if is_validation else test)
        item_index[position] = item_of(pair[row], packing)
        rating[position] = table[np.uint64(code_of(pair[row], packing))]
        train += np.uint64(is_train)
        validation += np.uint64(is_validation)
        test += np.uint64(subset[row] == TEST)
        bucket = _below(n_shards, start ^ (np.uint64(pair[row] >> packing.item_shift) * GOLDEN))
        bucket = bucket if is_train else n_shards
        buckets[row] = bucket
        shard_ends[np.uint64(bucket + 1)] += 1
    for shard in range(n_shards + 1):
        shard_ends[shard + 1] += shard_ends[shard]
    positions = shard_ends[:-1].copy()
    for row in range(len(subset)):
        bucket = np.uint64(buckets[row])
        pairs[np.uint64(positions[bucket])] = pair[row]
        positions[bucket] += 1


@compiled
def shuffle_pairs(pairs, seed, epoch, number):  # type: ignore[no-untyped-def]
    """Shuffle (n,) int64 in place, n below 2^32, by Fisher and Yates's method.

    The order is a function of n, the seed, the epoch and the number of the shard.
    """
    state = mix64(mix64(mix64(np.uint64(seed) + GOLDEN) + np.uint64(epoch)) + np.uint64(number))
    for last in range(len(pairs) - 1, 0, -1):
        state += GOLDEN
        other = _below(last + 1, state)
        kept = pairs[last]
        pairs[last] = pairs[other]
        pairs[other] = kept
