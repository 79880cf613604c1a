"""Compiled loops over the rows of one row group; all of them release the GIL.

What a split takes and on which side a row is are decided here, row by row, for the counting and the
materializing scans. `sides` states the same rules as lazy frames.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba
import numpy as np

from bigrec.compiled import compiled
from bigrec.splits.random_key import PRIME, key_formula

Array = np.ndarray[Any, Any]

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2
N_SIDES: Final = 3

ABSENT: Final = -1

NO_SIDES: Final = 0
BY_KEY: Final = 1
BY_TIME: Final = 2
BY_LIST: Final = 3

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_ONE = np.uint64(0xBF58476D1CE4E5B9)
_MIX_TWO = np.uint64(0x94D049BB133111EB)
_HALF = np.uint64(32)


class IdIndex(NamedTuple):
    """Dense, zero-based indices of some ids, in ascending order of ids."""

    ids: Array
    """(n,) int32, ascending: the id of each index."""
    lookup: Array
    """(max_id + 2,) int32: index of each id, ABSENT for others, the last one of all greater ids
    included; empty where ids are too large for a table."""


class Rule(NamedTuple):
    """How a row is put on a side."""

    way: int
    """NO_SIDES (all rows are TRAIN), BY_KEY, BY_TIME or BY_LIST."""
    seed: int
    """BY_KEY: the seed of the random key."""
    low: int
    """BY_KEY: keys from low up to high, exclusive, are the test side."""
    high: int
    starts: Array
    """BY_TIME: (n_users,) int64, `time_order` of each user's first row of the test side."""
    listed_ends: Array
    """BY_LIST: (n_users + 1,) int64, where each user's movies in `listed` end."""
    listed: Array
    """BY_LIST: (n_pairs,) int32, the movie_index of the pairs of the test side, by user."""
    validation_seed: int
    """The seed of the second key, which moves train rows to validation."""
    validation_bound: int
    """Second keys below this go to validation."""
    reads_days: bool
    """Whether the day of a row matters."""
    first_day: int
    """First day taken, in days since 1970."""
    last_day: int
    """Last day taken, in days since 1970."""
    drops_cold: bool
    """Whether validation and test rows need a user and a movie of the train side."""
    warm_users: Array
    """(n_users,) bool: users with a train row."""
    warm_movies: Array
    """(n_movies,) bool: movies with a train row."""


@numba.njit
def _mersenne_remainder(value):  # type: ignore[no-untyped-def]
    # 2^31 is 1 modulo the prime, so high bits are added to the low ones: no division.
    value = (value & PRIME) + (value >> 31)
    value = (value & PRIME) + (value >> 31)
    return value - PRIME if value >= PRIME else value


compiled_key = numba.njit(key_formula(_mersenne_remainder))


@compiled
def time_order(day, movie_id):  # type: ignore[no-untyped-def]
    """One number that orders rows by day and then by movie_id."""
    return np.int64(day) << 32 | np.int64(movie_id)


@compiled
def _find(ids, lookup, wanted):  # type: ignore[no-untyped-def]
    if len(lookup):
        return lookup[np.uint32(min(wanted, len(lookup) - 1))]  # unsigned: no test for negatives
    place = np.searchsorted(ids, wanted)
    return place if place < len(ids) and ids[place] == wanted else ABSENT


@compiled
def _find_rows(user_id, movie_id, user_lookup, movie_lookup, rows, user_index, movie_index):  # type: ignore[no-untyped-def]
    """Find the rows whose user and movie are in the tables, without branches: loads overlap."""
    last_user, last_movie = np.int32(len(user_lookup) - 1), np.int32(len(movie_lookup) - 1)
    n_found = 0
    for row in range(len(user_id)):
        user = user_lookup[np.uint32(min(user_id[row], last_user))]  # unsigned: never from the end
        movie = movie_lookup[np.uint32(min(movie_id[row], last_movie))]
        rows[n_found] = row
        user_index[n_found] = user
        movie_index[n_found] = movie
        n_found += int((user >= 0) & (movie >= 0))
    return n_found


@compiled
def _find_sparse_rows(user_id, movie_id, users, movies, rows, user_index, movie_index):  # type: ignore[no-untyped-def]
    """The same where ids are too large for a table."""
    n_found = 0
    for row in range(len(user_id)):
        user = _find(users.ids, users.lookup, user_id[row])
        movie = _find(movies.ids, movies.lookup, movie_id[row])
        if user >= 0 and movie >= 0:
            rows[n_found] = row
            user_index[n_found] = user
            movie_index[n_found] = movie
            n_found += 1
    return n_found


@compiled
def _mark_keys(user_id, movie_id, rows, seed, low, high, marks):  # type: ignore[no-untyped-def]
    """Set marks to whether the key of each row is from low up to high, exclusive."""
    for place in range(len(rows)):
        row = rows[place]
        key = compiled_key(np.int64(user_id[row]), np.int64(movie_id[row]), seed)
        marks[place] = (key >= low) & (key < high)


@compiled
def select_rows(user_id, movie_id, day, stars, users, movies, rule, out):  # type: ignore[no-untyped-def]
    """Take the rows of a split out of a row group, with dense indices and sides.

    Args:
        user_id, movie_id: (n,) int32.
        day: (n,) int32, days since 1970; empty where it does not matter.
        stars: (n,) int32, the bits of the ratings; empty where they do not matter.
        users, movies: IdIndex of those that take part.
        rule: Rule.
        out: user_index, movie_index, day, stars, side; like the inputs, side (n,) uint8.

    Returns:
        How many rows were written to the front of `out`, and how many were dropped as cold.
    """
    out_user, out_movie, out_day, out_stars, out_side = out
    # Fields are read once: each access to an array in a tuple counts a reference, atomically.
    starts, listed_ends, listed = rule.starts, rule.listed_ends, rule.listed
    warm_users, warm_movies = rule.warm_users, rule.warm_movies
    way = rule.way
    has_validation = rule.validation_bound > 0
    first_day, last_day, drops_cold = rule.first_day, rule.last_day, rule.drops_cold
    has_days, has_stars = len(day) > 0, len(stars) > 0
    rows = np.empty(len(user_id), np.int32)
    if len(users.lookup) and len(movies.lookup):
        n_found = _find_rows(
            user_id, movie_id, users.lookup, movies.lookup, rows, out_user, out_movie
        )
    else:
        n_found = _find_sparse_rows(user_id, movie_id, users, movies, rows, out_user, out_movie)
    rows = rows[:n_found]
    if way == BY_KEY:
        _mark_keys(user_id, movie_id, rows, rule.seed, rule.low, rule.high, out_side)
    second = np.empty(n_found if has_validation else 0, np.uint8)
    if has_validation:
        bound = rule.validation_bound
        _mark_keys(user_id, movie_id, rows, rule.validation_seed, 0, bound, second)
    n_dropped = 0
    n_taken = 0
    for place in range(n_found):
        row, user, movie = rows[place], out_user[place], out_movie[place]
        if has_days and not first_day <= day[row] <= last_day:
            continue
        is_test = False
        if way == BY_KEY:
            is_test = out_side[place] != 0
        elif way == BY_TIME:
            is_test = time_order(day[row], movie_id[row]) >= starts[user]
        elif way == BY_LIST:
            for pair in range(listed_ends[user], listed_ends[user + 1]):  # a few pairs a user
                is_test |= listed[pair] == movie
        side = TEST if is_test else TRAIN
        if has_validation and not is_test and second[place]:
            side = VALIDATION
        if drops_cold and side != TRAIN and not (warm_users[user] and warm_movies[movie]):
            n_dropped += 1
            continue
        out_user[n_taken] = user
        out_movie[n_taken] = movie
        out_side[n_taken] = side
        if has_days:
            out_day[n_taken] = day[row]
        if has_stars:
            out_stars[n_taken] = stars[row]
        n_taken += 1
    return n_taken, n_dropped


@compiled
def count_rows(by_user, by_movie, user_index, movie_index, side):  # type: ignore[no-untyped-def]
    """Add rows to (n_users, N_SIDES) and (n_movies, N_SIDES) counts."""
    for row in range(len(side)):
        by_user[user_index[row], side[row]] += 1
        by_movie[movie_index[row], side[row]] += 1


@compiled
def keep_latest(latest, user_index, day, movie_id):  # type: ignore[no-untyped-def]
    """Keep each user's greatest time orders in (n_users, n) int64, ascending; -1 is none."""
    n_kept = latest.shape[1]
    for row in range(len(day)):
        order = time_order(day[row], movie_id[row])
        kept = latest[user_index[row]]
        if order <= kept[0]:
            continue
        place = 0
        while place + 1 < n_kept and kept[place + 1] < order:
            kept[place] = kept[place + 1]
            place += 1
        kept[place] = order


@compiled
def group_by_side(movie_index, stars, side):  # type: ignore[no-untyped-def]
    """Order rows by side, and keep their order within each.

    Returns:
        movie_index and stars in the new order, and (N_SIDES + 1,) int64 ends of the sides.
    """
    ends = np.zeros(N_SIDES + 1, np.int64)
    for row in range(len(side)):
        ends[side[row] + 1] += 1
    ends = np.cumsum(ends)
    places = ends.copy()
    grouped_movies, grouped_stars = np.empty_like(movie_index), np.empty_like(stars)
    for row in range(len(side)):
        place = places[side[row]]
        places[side[row]] += 1
        grouped_movies[place] = movie_index[row]
        grouped_stars[place] = stars[row]
    return grouped_movies, grouped_stars, ends


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
def scatter_train(user_index, movie_index, stars, side, n_buckets, seed):  # type: ignore[no-untyped-def]
    """Throw each train row into a bucket at random.

    Returns:
        (n_train, 3) int32 rows of user_index, movie_index and stars, ordered by bucket, and
        (n_buckets + 1,) int64 ends of the buckets.
    """
    buckets = np.empty(len(side), np.uint16)
    ends = np.zeros(n_buckets + 1, np.int64)
    start = _mix(np.uint64(seed) + _GOLDEN)
    for row in range(len(side)):
        if side[row] == TRAIN:
            pair = np.uint64(user_index[row]) << _HALF | np.uint64(movie_index[row])
            bucket = _below(n_buckets, start ^ (pair * _GOLDEN))
            buckets[row] = bucket
            ends[bucket + 1] += 1
    ends = np.cumsum(ends)
    places = ends.copy()
    pairs = np.empty((ends[n_buckets], 3), np.int32)
    for row in range(len(side)):
        if side[row] == TRAIN:
            place = places[buckets[row]]
            places[buckets[row]] += 1
            pairs[place, 0] = user_index[row]
            pairs[place, 1] = movie_index[row]
            pairs[place, 2] = stars[row]
    return pairs, ends


@compiled
def shuffle_rows(rows, seed, number):  # type: ignore[no-untyped-def]
    """Shuffle (n, 3) rows in place, n below 2^32, by Fisher and Yates's method."""
    state = _mix(_mix(np.uint64(seed) + _GOLDEN) + np.uint64(number))
    for last in range(len(rows) - 1, 0, -1):
        state += _GOLDEN
        other = _below(last + 1, state)
        for column in range(3):
            kept = rows[last, column]
            rows[last, column] = rows[other, column]
            rows[other, column] = kept
