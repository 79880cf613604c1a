"""Statistics of users over rows in any order, for a store that keeps no by-user order."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

from bigrec.ingest.rows import GroupStats

Array = np.ndarray[Any, Any]

_FIRST_CAPACITY = 1 << 16
_BLOCK_BITS = 10  # ids of a block of 1024 stay neighbours, as rows of a movie ascend by user

_compiled = numba.njit(nogil=True, cache=True)


class UserTable:
    """A hash table from user ids to statistics; 24 bytes a slot, at most half of them taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._columns = _empty_columns(_FIRST_CAPACITY)

    def add(self, user_id: Array, payload: Array) -> None:
        """Count rows.

        Args:
            user_id, payload: (n,) int32.
        """
        with self._lock:
            done = 0
            while True:
                done, self._n_users = _count(user_id, payload, done, self._n_users, *self._columns)
                if done == len(user_id):
                    return
                grown = _empty_columns(2 * len(self._columns[0]))
                _rehash(*self._columns, *grown)
                self._columns = grown

    def stats(self) -> GroupStats:
        """The statistics of all users, ascending by id."""
        taken = np.flatnonzero(self._columns[0])
        order = taken[np.argsort(self._columns[0][taken])]
        return GroupStats(*(column[order] for column in self._columns))


def _empty_columns(capacity: int) -> tuple[Array, Array, Array, Array, Array]:
    """Ids (0 for a free slot), counts, sums of half stars, first and last days."""
    kinds = (np.int32, np.int32, np.int64, np.int32, np.int32)
    ids, counts, sums, first_days, last_days = (np.zeros(capacity, kind) for kind in kinds)
    return ids, counts, sums, first_days, last_days


@_compiled
def _slot_of(user, ids):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(ids) - 1)
    block = np.uint64(user) >> np.uint64(_BLOCK_BITS)
    block *= np.uint64(0x9E3779B97F4A7C15)
    slot = (np.uint64(user) + (block >> np.uint64(20))) & mask
    while ids[slot] != user and ids[slot] != 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@_compiled
def _count(user_id, payload, done, n_users, ids, counts, sums, first_days, last_days):  # type: ignore[no-untyped-def]
    """Count rows from `done` on until the table is half full; return (rows done, users)."""
    for row in range(done, len(user_id)):
        slot = _slot_of(user_id[row], ids)
        day = payload[row] >> 8
        if ids[slot] == 0:
            if 2 * n_users >= len(ids):
                return row, n_users
            n_users += 1
            ids[slot] = user_id[row]
            first_days[slot] = day
            last_days[slot] = day
        counts[slot] += 1
        sums[slot] += payload[row] & 255
        first_days[slot] = min(first_days[slot], day)
        last_days[slot] = max(last_days[slot], day)
    return len(user_id), n_users


@_compiled
def _rehash(  # type: ignore[no-untyped-def]
    ids, counts, sums, first_days, last_days,
    to_ids, to_counts, to_sums, to_first_days, to_last_days,
):  # fmt: skip
    for old in range(len(ids)):
        if ids[old]:
            slot = _slot_of(ids[old], to_ids)
            to_ids[slot] = ids[old]
            to_counts[slot] = counts[old]
            to_sums[slot] = sums[old]
            to_first_days[slot] = first_days[old]
            to_last_days[slot] = last_days[old]
