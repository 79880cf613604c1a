"""The compiled loops over parsed rows: sorting an item's ratings, and statistics of rows.

Keys and payloads are those of the parsers in `kernels`. The loops release the GIL and are cached
on disk.
"""

from __future__ import annotations

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS, CODE_MASK
from bigrec.splitmix import GOLDEN, mix64

_RADIX_BITS = 11
_SMALL_GROUP = 32


@compiled
def sort_within_items(keys, starts, n_items, scratch):  # type: ignore[no-untyped-def]
    """Sort the keys of each item by user, in place; rows of one user keep their order.

    Args:
        keys: uint64, rows grouped by item.
        starts: int64, the first row of each item and one past the last.
        n_items: number of groups.
        scratch: uint64, as long as the largest group.
    """
    counts = np.zeros(1 << _RADIX_BITS, np.int64)
    for item in range(n_items):
        group = keys[starts[item] : starts[item + 1]]
        size = group.size
        if size <= _SMALL_GROUP:
            for row in range(1, size):
                key = group[row]
                place = row
                while place > 0 and group[place - 1] >> np.uint64(32) > key >> np.uint64(32):
                    group[place] = group[place - 1]
                    place -= 1
                group[place] = key
            continue
        largest = np.uint64(0)
        for row in range(size):
            largest = max(largest, group[row])
        largest >>= np.uint64(32)
        bits = 0
        while largest >> np.uint64(bits):
            bits += 1
        n_passes = (bits + _RADIX_BITS - 1) // _RADIX_BITS
        digit_bits = (bits + n_passes - 1) // n_passes
        digit_mask = np.uint64((1 << digit_bits) - 1)
        source, target = group, scratch[:size]
        for number in range(n_passes):
            shift = np.uint64(32 + number * digit_bits)
            counts[: 1 << digit_bits] = 0
            for row in range(size):
                counts[(source[row] >> shift) & digit_mask] += 1
            total = 0
            for digit in range(1 << digit_bits):
                total, counts[digit] = total + counts[digit], total
            for row in range(size):
                key = source[row]
                digit = (key >> shift) & digit_mask
                place = counts[digit]
                counts[digit] = place + 1
                target[place] = key
            source, target = target, source
        if n_passes % 2:
            group[:] = source


@compiled
def spread_items(items, starts, n_items, item_id):  # type: ignore[no-untyped-def]
    """Fill item_id (int32, one a row) with each item's id over its rows."""
    for item in range(n_items):
        item_id[starts[item] : starts[item + 1]] = items[item]


@compiled
def summarise_rows(  # type: ignore[no-untyped-def]
    primary, secondary, payload, values, item_is_primary, ids, counts, sums, first_days, last_days
):  # fmt: skip
    """Take the statistics of rows that are sorted by (primary, secondary) id.

    Args:
        primary, secondary, payload: (n,) int32.
        values: (n_values,) float64, the rating of each code.
        item_is_primary: which of the two ids is the item; the digest needs to know.
        ids, counts, sums, first_days, last_days: (n,) int32 and, for sums of ratings, float64 out:
            one element a distinct primary id.

    Returns:
        (number of distinct primary ids, first row that repeats the pair before it or -1, digest).
        The digest is a sum of 64-bit digests of the rows, so their order does not matter.
    """
    duplicate = -1
    digest = np.uint64(0)
    current = -1
    one_before, two_before = np.int32(0), np.int32(0)
    mixed = np.uint64(0)
    count = np.int32(0)
    total = 0.0
    first_day = last_day = np.int32(0)
    for row in range(len(payload)):
        one, two = primary[row], secondary[row]
        bits = np.uint32(payload[row])
        day = np.int32(bits >> np.uint32(CODE_BITS))
        if one != one_before:
            if current >= 0:
                counts[current], sums[current] = count, total
                first_days[current], last_days[current] = first_day, last_day
            current += 1
            ids[current] = one
            count, total = np.int32(0), 0.0
            first_day = last_day = day
            if item_is_primary:
                mixed = mix64(np.uint64(one) + GOLDEN)
        elif two == two_before and duplicate < 0:
            duplicate = row
        one_before, two_before = one, two
        count += np.int32(1)
        total += values[bits & np.uint32(CODE_MASK)]
        first_day, last_day = min(first_day, day), max(last_day, day)
        if not item_is_primary:
            mixed = mix64(np.uint64(two) + GOLDEN)
        user = two if item_is_primary else one
        digest += mix64(((np.uint64(user) << np.uint64(32)) | np.uint64(bits)) ^ mixed)
    if current >= 0:
        counts[current], sums[current] = count, total
        first_days[current], last_days[current] = first_day, last_day
    return current + 1, duplicate, digest
