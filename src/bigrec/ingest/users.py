"""Statistics of users over rows in any order, for a store that keeps no by-user order."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

from bigrec.ingest.rows import GroupStats
from bigrec.ingest.sorting import group_rows, plan_buckets
from bigrec.ingest.workspace import Workspace

Array = np.ndarray[Any, Any]

_FIRST_CAPACITY = 1 << 16
_RANGES = 128
_WIDTH = 8  # columns of a slot, so that it lies in one cache line
_ID, _COUNT, _SUM, _FIRST_DAY, _LAST_DAY = range(5)  # the sum is of half stars; id 0 is a free slot
_BLOCK_BITS = 10  # ids of a block of 1024 stay neighbours, as rows of a movie ascend by user

_compiled = numba.njit(nogil=True, cache=True)


class UserTable:
    """A hash table from user ids to statistics; 32 bytes a slot, at most half of them taken.

    Args:
        sample: int32, user ids of rows drawn evenly from the input; at least one.
    """

    def __init__(self, sample: Array) -> None:
        # Rows are counted range by range of users, so that the slots in use fit a core's cache.
        self._ranges = plan_buckets(sample, n_rows=_RANGES, rows_per_bucket=1)
        self._lock = threading.Lock()
        self._n_users = 0
        self._slots = np.zeros((_FIRST_CAPACITY, _WIDTH), np.int32)

    def add(self, user_id: Array, movie_id: Array, payload: Array, workspace: Workspace) -> None:
        """Count rows.

        Args:
            user_id, movie_id, payload: (n,) int32.
            workspace: scratch memory.
        """
        records, _ = group_rows(self._ranges, user_id, movie_id, payload, workspace)
        user_id, payload = records[:, 0], records[:, 2]
        with self._lock:
            done = 0
            while True:
                done, self._n_users = _count(user_id, payload, done, self._n_users, self._slots)
                if done == len(user_id):
                    return
                grown = np.zeros((2 * len(self._slots), _WIDTH), np.int32)
                _rehash(self._slots, grown)
                self._slots = grown

    def stats(self) -> GroupStats:
        """The statistics of all users, ascending by id."""
        taken = self._slots[self._slots[:, _ID] != 0]  # (n_users, _WIDTH)
        taken = taken[np.argsort(taken[:, _ID])]
        return GroupStats(
            taken[:, _ID].copy(),
            taken[:, _COUNT].copy(),
            taken[:, _SUM].astype(np.int64),
            taken[:, _FIRST_DAY].copy(),
            taken[:, _LAST_DAY].copy(),
        )


@_compiled
def _slot_of(user, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    block = np.uint64(user) >> np.uint64(_BLOCK_BITS)
    block *= np.uint64(0x9E3779B97F4A7C15)
    slot = (np.uint64(user) + (block >> np.uint64(20))) & mask
    while slots[slot, _ID] != user and slots[slot, _ID] != 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@_compiled
def _count(user_id, payload, done, n_users, slots):  # type: ignore[no-untyped-def]
    """Count rows from `done` on until the table is half full; return (rows done, users)."""
    for row in range(done, len(user_id)):
        slot = _slot_of(user_id[row], slots)
        day = payload[row] >> 8
        if slots[slot, _ID] == 0:
            if 2 * n_users >= len(slots):
                return row, n_users
            n_users += 1
            slots[slot, _ID] = user_id[row]
            slots[slot, _FIRST_DAY] = day
            slots[slot, _LAST_DAY] = day
        slots[slot, _COUNT] += 1
        slots[slot, _SUM] += payload[row] & 255
        slots[slot, _FIRST_DAY] = min(slots[slot, _FIRST_DAY], day)
        slots[slot, _LAST_DAY] = max(slots[slot, _LAST_DAY], day)
    return len(user_id), n_users


@_compiled
def _rehash(slots, grown):  # type: ignore[no-untyped-def]
    for old in range(len(slots)):
        if slots[old, _ID]:
            grown[_slot_of(slots[old, _ID], grown)] = slots[old]
