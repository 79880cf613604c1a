"""Compiled loops over the rows of one row group; all of them release the GIL.

What a split takes and in which subset a row is are decided here, row by row, for the counting and
the materializing scans. `subsets` states the same rules as lazy frames.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from bigrec.compiled import compiled, compiled_part
from bigrec.interactions import Scale
from bigrec.splits.random_key import PRIME, key_formula

Array = np.ndarray[Any, Any]

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2
N_SUBSETS: Final = 3

ABSENT: Final = -1

NO_SUBSETS: Final = 0
BY_KEY: Final = 1
BY_TIME: Final = 2
BY_LIST: Final = 3

SECONDS_A_DAY: Final = 86_400
ITEM_BITS: Final = np.uint64(31)
"""Of a time order, above which stand the seconds since 1921, in 33 bits."""

_PRIME = np.uint64(PRIME)
_LOW_BITS = np.uint64((1 << 32) - 1)


class IdIndex(NamedTuple):
    """Dense, zero-based indices of some ids, in ascending order of ids."""

    ids: Array
    """(n,) int32, ascending: the id of each index."""
    lookup: Array
    """(max_id + 2,) int32: index of each id, ABSENT for others, the last one of all greater ids
    included; empty where ids are too large for a table."""


class Codes(NamedTuple):
    """How ratings become codes of a scale."""

    low: float
    """The lowest rating."""
    per_step: float
    """Codes from one rating to the next greater by 1, where steps are even; else 0."""
    table: Array
    """(n_values,) float32, the rating of each code."""

    @classmethod
    def of_scale(cls, scale: Scale) -> Codes:
        """The codes of a scale."""
        return cls(scale.low, 1 / scale.step if scale.step else 0.0, scale.table)


class Rule(NamedTuple):
    """How a row is put in a subset."""

    way: int
    """NO_SUBSETS (all rows are TRAIN), BY_KEY, BY_TIME or BY_LIST."""
    seed: int
    """BY_KEY: the seed of the random key."""
    low: int
    """BY_KEY: keys from low up to high, exclusive, are the test subset."""
    high: int
    starts: Array
    """BY_TIME: (n_users,) uint64, `time_order` of each user's first row of the test subset."""
    listed_ends: Array
    """BY_LIST: (n_users + 1,) int64, where each user's items in `listed` end."""
    listed: Array
    """BY_LIST: (n_pairs,) int32, the item_index of the pairs of the test subset, by user."""
    validation_seed: int
    """The seed of the second key, which moves train rows to validation."""
    validation_bound: int
    """Second keys below this go to validation."""
    reads_days: bool
    """Whether the day of a row matters."""
    reads_seconds: bool
    """Whether the second of the day matters too."""
    first_day: int
    """First day taken, in days since 1921."""
    last_day: int
    """Last day taken, in days since 1921."""
    drops_cold: bool
    """Whether validation and test rows need a user and an item of the train subset."""
    warm_users: Array
    """(n_users,) bool: users with a train row."""
    warm_items: Array
    """(n_items,) bool: items with a train row."""


@compiled_part
def _nearly_remainder(value):  # type: ignore[no-untyped-def]
    # 2^31 is 1 modulo the prime, so high bits are added to the low ones: no division. The result is
    # at most 2 too large for a remainder, which keeps the formula below 2^63. Told that it fits 32
    # bits, the compiler multiplies four rows in one instruction.
    value = np.uint64(value)
    value = (value & _PRIME) + (value >> np.uint64(31))
    value = (value & _PRIME) + (value >> np.uint64(31))
    return np.int64(value & _LOW_BITS)


_nearly_key = compiled_part(key_formula(_nearly_remainder))


@compiled_part
def compiled_key(user_id, item_id, seed):  # type: ignore[no-untyped-def]
    """The random key of one row."""
    key = _nearly_key(np.int64(user_id) & PRIME, np.int64(item_id) & PRIME, seed)
    return key - PRIME if key >= PRIME else key


@compiled
def time_order(day, second, item_id):  # type: ignore[no-untyped-def]
    """One number, above 0, that orders rows by time and then by item_id: uint64."""
    return np.uint64(day * SECONDS_A_DAY + second) << ITEM_BITS | np.uint64(item_id)


@compiled
def user_of(pair, packing):  # type: ignore[no-untyped-def]
    """The user_index of a pair; see bigrec.interactions.Packing."""
    return np.int32(pair >> packing.user_shift)


@compiled
def item_of(pair, packing):  # type: ignore[no-untyped-def]
    """The item_index of a pair."""
    mask = (np.int64(1) << (packing.user_shift - packing.item_shift)) - 1
    return np.int32((pair >> packing.item_shift) & mask)


@compiled
def code_of(pair, packing):  # type: ignore[no-untyped-def]
    """The code of a pair's rating."""
    return pair & ((np.int64(1) << packing.item_shift) - 1)


@compiled
def _encode(rating, codes):  # type: ignore[no-untyped-def]
    """The code of a rating; see Codes. What is off the scale gets one that is near."""
    if codes.per_step > 0:
        steps = (np.float32(rating) - np.float32(codes.low)) * np.float32(codes.per_step)
        code = np.int64(steps + np.float32(0.5))
    else:
        code = np.int64(np.searchsorted(codes.table, rating))
    return min(max(code, np.int64(0)), np.int64(len(codes.table) - 1))


@compiled
def _find(ids, wanted):  # type: ignore[no-untyped-def]
    position = np.searchsorted(ids, wanted)
    return position if position < len(ids) and ids[position] == wanted else ABSENT


@compiled
def _find_rows(  # type: ignore[no-untyped-def]
    runs, shifts, other_id, day, second, rating, others, codes, first_day, last_day, out
):
    """Write the pairs, ids and times of rows that take part to the front of `out`; how many."""
    run_index, run_id, run_end = runs
    run_shift, other_shift = shifts
    out_run_id, out_other_id, out_pair, out_day, out_second = out
    ids, lookup = others.ids, others.lookup
    last_position = np.int32(len(lookup) - 1)
    has_lookup, has_ratings = len(lookup) > 0, len(rating) > 0
    has_days, has_seconds = len(day) > 0, len(second) > 0
    n_found = 0
    end = 0
    for run in range(len(run_end)):
        start, end = end, run_end[run]
        if run_index[run] < 0:
            continue
        run_bits = np.int64(run_index[run]) << run_shift
        for row in range(start, end):
            # Written before it is known whether the row counts: without branches, loads overlap.
            wanted = other_id[row]
            position = np.uint32(min(wanted, last_position))  # unsigned: never counted from the end
            other = lookup[position] if has_lookup else _find(ids, wanted)
            code = _encode(rating[row], codes) if has_ratings else 0
            out_run_id[n_found] = run_id[run]
            out_other_id[n_found] = wanted
            out_pair[n_found] = run_bits | np.int64(other) << other_shift | code
            is_found = other >= 0
            if has_days:
                out_day[n_found] = day[row]
                is_found &= (day[row] >= first_day) & (day[row] <= last_day)
            if has_seconds:
                out_second[n_found] = second[row]
            n_found += int(is_found)
    return n_found


@compiled
def _mark_keys(user_id, item_id, seed, low, high, subset, mark):  # type: ignore[no-untyped-def]
    """Put train rows whose keys are from low up to high, exclusive, into another subset."""
    for row in range(len(subset)):
        key = compiled_key(user_id[row], item_id[row], seed)
        is_marked = (key >= low) & (key < high) & (subset[row] == TRAIN)
        subset[row] = mark if is_marked else subset[row]


@compiled
def _mark_late(pair, packing, day, second, item_id, starts, subset):  # type: ignore[no-untyped-def]
    """Put rows that are not before their user's start in time order in the test subset."""
    has_seconds = len(second) > 0
    for row in range(len(subset)):
        order = time_order(day[row], second[row] if has_seconds else 0, item_id[row])
        if order >= starts[user_of(pair[row], packing)]:
            subset[row] = TEST


@compiled
def _mark_listed(pair, packing, listed_ends, listed, subset):  # type: ignore[no-untyped-def]
    """Put the rows of listed pairs in the test subset."""
    for row in range(len(subset)):
        user, item = user_of(pair[row], packing), item_of(pair[row], packing)
        for position in range(listed_ends[user], listed_ends[user + 1]):  # a few pairs a user
            if listed[position] == item:
                subset[row] = TEST


@compiled
def _drop_cold(pair, packing, day, second, subset, warm_users, warm_items):  # type: ignore[no-untyped-def]
    """Move the rows that stay to the front; how many."""
    has_days, has_seconds = len(day) > 0, len(second) > 0
    n_kept = 0
    for row in range(len(subset)):
        user, item = user_of(pair[row], packing), item_of(pair[row], packing)
        if subset[row] == TRAIN or (warm_users[user] and warm_items[item]):
            pair[n_kept], subset[n_kept] = pair[row], subset[row]
            if has_days:
                day[n_kept] = day[row]
            if has_seconds:
                second[n_kept] = second[row]
            n_kept += 1
    return n_kept


@compiled
def select_rows(  # type: ignore[no-untyped-def]
    runs, other_id, day, second, rating, others, codes, packing, rule, by_user, out
):
    """Take the rows of a split out of a row group, as pairs with their subsets.

    Args:
        runs: the rows of one user each where rows are sorted by user, else of one item: dense
            indices (ABSENT to skip), ids and ends, (n_runs,) each.
        other_id: (n,) int32, the other id of each row.
        day: (n,) int32, days since 1921; empty where it does not matter.
        second: (n,) int32, of the day; empty where it does not matter, or the store has none.
        rating: (n,) float32; empty where it does not matter.
        others: IdIndex of the other ids that take part.
        codes: Codes of the store's scale.
        packing: Packing of the pairs.
        rule: Rule.
        by_user: whether the runs are of users.
        out: (n,) each: ids of the runs and the others, int32, for use in between; pair, int64; day
            and second, like the input; subset, uint8.

    Returns:
        How many rows were written to the front of `out`, and how many were dropped as cold.
    """
    run_id, other, pair, out_day, out_second, subset = out
    found = run_id, other, pair, out_day, out_second
    shifts = packing.user_shift, packing.item_shift
    if not by_user:
        shifts = packing.item_shift, packing.user_shift
    n_found = _find_rows(
        runs, shifts, other_id, day, second, rating, others, codes, rule.first_day, rule.last_day,
        found,
    )  # fmt: skip
    pair, subset = pair[:n_found], subset[:n_found]
    out_day, out_second = out_day[:n_found], out_second[:n_found]
    user_id, item_id = run_id[:n_found], other[:n_found]
    if not by_user:
        user_id, item_id = item_id, user_id
    subset[:] = TRAIN
    if rule.way == BY_KEY:
        _mark_keys(user_id, item_id, rule.seed, rule.low, rule.high, subset, TEST)
    elif rule.way == BY_TIME:
        _mark_late(pair, packing, out_day, out_second, item_id, rule.starts, subset)
    elif rule.way == BY_LIST:
        _mark_listed(pair, packing, rule.listed_ends, rule.listed, subset)
    if rule.validation_bound:
        seed, bound = rule.validation_seed, rule.validation_bound
        _mark_keys(user_id, item_id, seed, 0, bound, subset, VALIDATION)
    n_kept = n_found
    if rule.drops_cold:
        n_kept = _drop_cold(
            pair, packing, out_day, out_second, subset, rule.warm_users, rule.warm_items
        )
    return n_kept, n_found - n_kept


@compiled
def count_rows(by_user, by_item, pair, packing, subset):  # type: ignore[no-untyped-def]
    """Add rows to (n_users, N_SUBSETS) and (n_items, N_SUBSETS) counts."""
    for row in range(len(subset)):
        by_user[user_of(pair[row], packing), subset[row]] += 1
        by_item[item_of(pair[row], packing), subset[row]] += 1


@compiled
def keep_latest(latest, pair, packing, day, second, item_ids):  # type: ignore[no-untyped-def]
    """Keep each user's greatest time orders in (n_users, n) uint64, ascending; 0 is none."""
    n_kept = latest.shape[1]
    has_seconds = len(second) > 0
    for row in range(len(day)):
        item_id = item_ids[item_of(pair[row], packing)]
        order = time_order(day[row], second[row] if has_seconds else 0, item_id)
        kept = latest[user_of(pair[row], packing)]
        if order <= kept[0]:
            continue
        position = 0
        while position + 1 < n_kept and kept[position + 1] < order:
            kept[position] = kept[position + 1]
            position += 1
        kept[position] = order
