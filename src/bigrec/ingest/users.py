"""Statistics of users over rows in any order, for a store that keeps no by-user order."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

from bigrec.ingest.rows import GroupStats

Array = np.ndarray[Any, Any]

_FIRST_CAPACITY = 1 << 16
_BLOCK_BITS = 10  # ids of a block of 1024 lie side by side
_REGION_BITS = 6
_WAITING_ROWS = 1 << 15
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: it puts blocks far apart
_U16, _U32 = np.uint64(16), np.uint64(32)
_MASK16, _MASK32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)

_compiled = numba.njit(nogil=True, cache=True)


class UserTable:
    """A hash table from user ids to statistics, at most half full.

    A slot is two words: user_id << 32 | last day << 16 | first day, zero if the slot is free, and
    count << 32 | sum of half stars. Rows wait by region of the table until a region has many: a
    region fits a core's cache, the table does not. What waits takes 16 MiB.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._slots = np.zeros((_FIRST_CAPACITY, 2), np.uint64)
        self._waiting = np.empty((1 << _REGION_BITS, _WAITING_ROWS), np.uint64)
        self._n_waiting = np.zeros(1 << _REGION_BITS, np.int64)

    def add(self, user_id: Array, payload: Array) -> None:
        """Count rows.

        Args:
            user_id, payload: (n,) int32.
        """
        with self._lock:
            row = 0
            while row < len(user_id):
                row, full = _let_wait(user_id, payload, row, self._waiting, self._n_waiting)
                if full >= 0:
                    self._count_waiting(full)

    def stats(self) -> GroupStats:
        """The statistics of all users, ascending by id."""
        with self._lock:
            for region in range(len(self._waiting)):
                self._count_waiting(region)
        taken = self._slots[self._slots[:, 0] != 0]  # (n_users, 2)
        taken = taken[np.argsort(taken[:, 0])]
        return GroupStats(
            (taken[:, 0] >> _U32).astype(np.int32),
            (taken[:, 1] >> _U32).astype(np.int32),
            (taken[:, 1] & _MASK32).astype(np.int64),
            (taken[:, 0] & _MASK16).astype(np.int32),
            ((taken[:, 0] >> _U16) & _MASK16).astype(np.int32),
        )

    def _count_waiting(self, region: int) -> None:
        keys = self._waiting[region, : self._n_waiting[region]]
        self._n_waiting[region] = 0
        row = 0
        while True:
            row, self._n_users = _count(keys, row, self._slots, self._n_users)
            if row == len(keys):
                return
            grown = np.zeros((2 * len(self._slots), 2), np.uint64)
            _rehash(self._slots, grown)
            self._slots = grown


@_compiled
def _hash_block(user):  # type: ignore[no-untyped-def]
    return (user >> np.uint64(_BLOCK_BITS)) * _GOLDEN


@_compiled
def _slot_shift(slots):  # type: ignore[no-untyped-def]
    """How far to shift a hash so that it becomes a slot."""
    shift = 64
    while (1 << (64 - shift)) < len(slots):
        shift -= 1
    return np.uint64(shift)


@_compiled
def _slot_of(user, slots, shift):  # type: ignore[no-untyped-def]
    """The slot of a user (uint64), or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = ((_hash_block(user) >> shift) + (user & np.uint64(1023))) & mask
    while slots[slot, 0] >> _U32 != user and slots[slot, 0] != 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@_compiled
def _let_wait(user_id, payload, row, waiting, n_waiting):  # type: ignore[no-untyped-def]
    """Let rows wait until a region is full; return (rows done, the full region or -1)."""
    region_shift = np.uint64(64 - _REGION_BITS)
    while row < len(user_id):
        user = np.uint64(user_id[row])
        region = _hash_block(user) >> region_shift
        place = n_waiting[region]
        waiting[region, np.uint64(place)] = (user << _U32) | np.uint64(payload[row])
        n_waiting[region] = place + 1
        row += 1
        if place + 1 == waiting.shape[1]:
            return row, np.int64(region)
    return row, np.int64(-1)


@_compiled
def _count(keys, row, slots, n_users):  # type: ignore[no-untyped-def]
    """Count rows, given as user << 32 | payload, from `row` on until the table is half full.

    Returns:
        (rows done, number of users).
    """
    shift = _slot_shift(slots)
    while row < len(keys):
        key = keys[row]
        user = key >> _U32
        day = (key & _MASK32) >> np.uint64(8)
        slot = _slot_of(user, slots, shift)
        word = slots[slot, 0]
        if word == 0:
            if 2 * n_users >= len(slots):
                break
            n_users += 1
            word = (user << _U32) | (day << _U16) | day
            slots[slot, 0] = word
        first_day, last_day = word & _MASK16, (word >> _U16) & _MASK16
        if day < first_day or day > last_day:
            days = (max(last_day, day) << _U16) | min(first_day, day)
            slots[slot, 0] = (user << _U32) | days
        slots[slot, 1] += (np.uint64(1) << _U32) | (key & np.uint64(255))
        row += 1
    return row, n_users


@_compiled
def _rehash(slots, grown):  # type: ignore[no-untyped-def]
    shift = _slot_shift(grown)
    for old in range(len(slots)):
        if slots[old, 0] != 0:
            grown[_slot_of(slots[old, 0] >> _U32, grown, shift)] = slots[old]
