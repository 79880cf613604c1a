"""Compiled loops that bring the selected rows of a split into the orders that training reads."""

from __future__ import annotations

import numpy as np

from bigrec.compiled import compiled
from bigrec.splits.kernels import N_SIDES, TRAIN, movie_of, stars_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_ONE = np.uint64(0xBF58476D1CE4E5B9)
_MIX_TWO = np.uint64(0x94D049BB133111EB)
_HALF = np.uint64(32)


@compiled
def group_by_side(pair, side):  # type: ignore[no-untyped-def]
    """Order rows by side, and keep their order within each.

    Args:
        pair: (n,) int64.
        side: (n,) uint8.

    Returns:
        movie_index, (n,) int32, rating, (n,) float32 stars, both in the new order, and ends of the
        sides, (N_SIDES + 1,) int64.
    """
    ends = np.zeros(N_SIDES + 1, np.int64)
    # One more row: each is written before it is known whether it counts, which spares branches.
    movie_index, rating = np.empty(len(pair) + 1, np.int32), np.empty(len(pair) + 1, np.float32)
    place = 0
    for wanted in range(N_SIDES):
        for row in range(len(side) if place < len(side) else 0):
            movie_index[np.uint64(place)] = movie_of(pair[row])
            rating[np.uint64(place)] = stars_of(pair[row])
            place += int(side[row] == wanted)
        ends[wanted + 1] = place
    return movie_index[:place], rating[:place], ends


@compiled
def _mix(state):  # type: ignore[no-untyped-def]
    # The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    state = (state ^ (state >> np.uint64(30))) * _MIX_ONE
    state = (state ^ (state >> np.uint64(27))) * _MIX_TWO
    return state ^ (state >> np.uint64(31))


@compiled
def _below(bound, state):  # type: ignore[no-untyped-def]
    """A number from 0 up to bound, exclusive, out of 64 random bits."""
    return np.int64((_mix(state) >> _HALF) * np.uint64(bound) >> _HALF)


@compiled
def scatter_train(pair, side, n_buckets, seed):  # type: ignore[no-untyped-def]
    """Throw each train row into a bucket at random.

    Args:
        pair: (n,) int64.
        side: (n,) uint8.
        n_buckets: below 2^16.
        seed: another seed throws independently.

    Returns:
        (n_train,) int64 pairs, ordered by bucket, and (n_buckets + 1,) int64 ends of the buckets.
    """
    buckets = np.empty(len(side), np.uint16)
    ends = np.zeros(n_buckets + 1, np.int64)
    start = _mix(np.uint64(seed) + _GOLDEN)
    for row in range(len(side)):
        if side[row] == TRAIN:
            bucket = _below(n_buckets, start ^ (np.uint64(pair[row]) * _GOLDEN))
            buckets[row] = bucket
            ends[bucket + 1] += 1
    ends = np.cumsum(ends)
    places = ends.copy()
    scattered = np.empty(ends[n_buckets], np.int64)
    for row in range(len(side)):
        if side[row] == TRAIN:
            place = places[buckets[row]]
            places[buckets[row]] += 1
            scattered[place] = pair[row]
    return scattered, ends


@compiled
def shuffle_pairs(pairs, seed, epoch, number):  # type: ignore[no-untyped-def]
    """Shuffle (n,) int64 in place, n below 2^32, by Fisher and Yates's method.

    The order is a function of n, the seed, the epoch and the number of the shard.
    """
    state = _mix(_mix(_mix(np.uint64(seed) + _GOLDEN) + np.uint64(epoch)) + np.uint64(number))
    for last in range(len(pairs) - 1, 0, -1):
        state += _GOLDEN
        other = _below(last + 1, state)
        kept = pairs[last]
        pairs[last] = pairs[other]
        pairs[other] = kept
