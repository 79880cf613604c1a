"""Statistics of users over rows in any order, for a store that keeps no by-user order."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

from bigrec.ingest.rows import GroupStats

Array = np.ndarray[Any, Any]

_FIRST_CAPACITY = 1 << 16
_ID, _COUNT, _SUM, _DAYS = range(4)
_WIDTH = 4  # columns of a slot: id (0: free), count, sum of half stars, last day << 16 | first day
_BLOCK_BITS = 10  # ids of a block of 1024 stay neighbours, as rows of a movie ascend by user

_compiled = numba.njit(nogil=True, cache=True)


class UserTable:
    """A hash table from user ids to statistics; 16 bytes a slot, at most half of them taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._slots = np.zeros((_FIRST_CAPACITY, _WIDTH), np.int32)

    def add(self, user_id: Array, payload: Array) -> None:
        """Count rows.

        Args:
            user_id, payload: (n,) int32.
        """
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
        days = taken[:, _DAYS].astype(np.int64) & 0xFFFFFFFF
        return GroupStats(
            taken[:, _ID].copy(),
            taken[:, _COUNT].copy(),
            taken[:, _SUM].astype(np.int64),
            (days & 0xFFFF).astype(np.int32),
            (days >> 16).astype(np.int32),
        )


@_compiled
def _slot_of(user, slots):  # type: ignore[no-untyped-def]
    """The slot of a user, or the free one where it belongs."""
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
            slots[slot, _DAYS] = day << 16 | day
        slots[slot, _COUNT] += 1
        slots[slot, _SUM] += payload[row] & 255
        days = np.int64(slots[slot, _DAYS])
        first_day, last_day = days & 0xFFFF, (days >> 16) & 0xFFFF
        if day < first_day or day > last_day:
            slots[slot, _DAYS] = max(last_day, day) << 16 | min(first_day, day)
    return len(user_id), n_users


@_compiled
def _rehash(slots, grown):  # type: ignore[no-untyped-def]
    for old in range(len(slots)):
        if slots[old, _ID]:
            grown[_slot_of(slots[old, _ID], grown)] = slots[old]
