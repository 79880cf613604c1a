"""Statistics of rows by one of their ids, counted by a compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS, CODE_MASK
from bigrec.splitmix import GOLDEN, mix64

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class GroupStats:
    """Statistics of rows by one of their ids."""

    ids: Array  # (n,) int32, ascending
    counts: Array  # (n,) int32, rows of each
    sums: Array  # (n,) float64, ratings of each added up
    first_days: Array  # (n,) int32, since bigrec.schema.FIRST_DATE
    last_days: Array  # (n,) int32

    @classmethod
    def concatenate(cls, groups: list[GroupStats]) -> GroupStats:
        """Join statistics of ascending ranges of ids."""
        kinds = (np.int32, np.int32, np.float64, np.int32, np.int32)
        names = ("ids", "counts", "sums", "first_days", "last_days")
        return cls(
            *(
                np.concatenate([np.empty(0, kind), *(getattr(group, name) for group in groups)])
                for kind, name in zip(kinds, names, strict=True)
            )
        )


@compiled
def summarise_rows(  # type: ignore[no-untyped-def]
    primary, secondary, payload, second, values, item_is_primary,
    ids, counts, sums, first_days, last_days,
):  # fmt: skip
    """Take the statistics of rows that are sorted by (primary, secondary) id.

    Args:
        primary, secondary, payload: (n,) int32.
        second: (n,) int32, or empty where there is none.
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
        word = ((np.uint64(user) << np.uint64(32)) | np.uint64(bits)) ^ mixed
        if len(second) > 0:
            word = mix64(word) ^ np.uint64(second[row])
        digest += mix64(word)
    if current >= 0:
        counts[current], sums[current] = count, total
        first_days[current], last_days[current] = first_day, last_day
    return current + 1, duplicate, digest
