"""Statistics of users over rows in any order, for a store that keeps no by-user order."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from bigrec.compiled import compiled
from bigrec.ingest.row_kernels import GroupStats
from bigrec.interactions import CODE_BITS, CODE_MASK
from bigrec.splitmix import GOLDEN

Array = np.ndarray[Any, Any]

_FIRST_CAPACITY = 1 << 20  # so many slots that one region's rows do not overflow into others
_REGION_BITS = 10
_WAITING_ROWS = 1 << 12
_U16, _U32 = np.uint64(16), np.uint64(32)
_MASK16, _MASK32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)


class UserTable:
    """A hash table from user ids to statistics, at most half full; any thread may add.

    A slot is a word, user_id << 32 | last day << 16 | first day, zero if the slot is free, and the
    number and the sum of the user's ratings. Rows wait by region of the table until a region has
    many: a region fits a core's cache, the table does not. What waits takes 32 MiB, the table
    24 MiB or more.

    Args:
        values: (n_values,) float64, the rating of each code.
    """

    def __init__(self, values: Array) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._values = values
        self._slots = np.zeros((_FIRST_CAPACITY, 2), np.uint64)
        self._sums = np.zeros(_FIRST_CAPACITY)
        self._waiting = np.empty((1 << _REGION_BITS, _WAITING_ROWS), np.uint64)
        self._n_waiting = np.zeros(1 << _REGION_BITS, np.int64)

    def add(self, user_id: Array, payload: Array) -> None:
        """Count rows, waiting for other threads that do.

        Args:
            user_id, payload: (n,) int32.
        """
        with self._lock:
            self._add(user_id, payload)

    def try_add(self, user_id: Array, payload: Array) -> bool:
        """Count rows unless another thread is counting; whether they have been."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._add(user_id, payload)
        finally:
            self._lock.release()
        return True

    def _add(self, user_id: Array, payload: Array) -> None:
        row = 0
        while row < len(user_id):
            row, self._n_users, full = _add_rows(
                user_id, payload, row, self._values,
                self._waiting, self._n_waiting, self._slots, self._sums, self._n_users,
            )  # fmt: skip
            if full >= 0:
                self._count_waiting(full)

    def stats(self) -> GroupStats:
        """The statistics of all users, ascending by id."""
        for region in range(len(self._waiting)):
            self._count_waiting(region)
        positions = np.flatnonzero(self._slots[:, 0])
        positions = positions[np.argsort(self._slots[positions, 0])]
        taken = self._slots[positions]  # (n_users, 2)
        return GroupStats(
            (taken[:, 0] >> _U32).astype(np.int32),
            taken[:, 1].astype(np.int32),
            self._sums[positions],
            (taken[:, 0] & _MASK16).astype(np.int32),
            ((taken[:, 0] >> _U16) & _MASK16).astype(np.int32),
        )

    def _count_waiting(self, region: int) -> None:
        """Count what waits in a region, in a larger table if need be."""
        keys = self._waiting[region, : self._n_waiting[region]]
        self._n_waiting[region] = 0
        row = 0
        while True:
            row, self._n_users = _count(
                keys, row, self._values, self._slots, self._sums, self._n_users
            )
            if row == len(keys):
                return
            grown, sums = (
                np.zeros((2 * len(self._slots), 2), np.uint64),
                np.zeros(2 * len(self._slots)),
            )
            _rehash(self._slots, self._sums, grown, sums)
            self._slots, self._sums = grown, sums


@compiled
def _slot_shift(slots):  # type: ignore[no-untyped-def]
    """How far to shift a hash so that it becomes a slot."""
    shift = 64
    while (1 << (64 - shift)) < len(slots):
        shift -= 1
    return np.uint64(shift)


@compiled
def _slot_of(user, slots, shift):  # type: ignore[no-untyped-def]
    """The slot of a user (uint64), or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = (user * GOLDEN) >> shift
    while slots[slot, 0] >> _U32 != user and slots[slot, 0] != 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _count(keys, row, values, slots, sums, n_users):  # type: ignore[no-untyped-def]
    """Count rows, given as user << 32 | payload, from `row` on until the table is half full.

    Returns:
        (rows done, number of users).
    """
    shift = _slot_shift(slots)
    while row < len(keys):
        key = keys[row]
        user = key >> _U32
        day = (key & _MASK32) >> np.uint64(CODE_BITS)
        slot = _slot_of(user, slots, shift)
        word = slots[slot, 0]
        if word == 0:
            if 2 * n_users >= len(slots):
                break
            n_users += 1
            word = (user << _U32) | (day << _U16) | day
        first_day, last_day = word & _MASK16, (word >> _U16) & _MASK16
        days = (max(last_day, day) << _U16) | min(first_day, day)
        slots[slot, 0] = (user << _U32) | days
        slots[slot, 1] += np.uint64(1)
        sums[slot] += values[key & np.uint64(CODE_MASK)]
        row += 1
    return row, n_users


@compiled
def _add_rows(  # type: ignore[no-untyped-def]
    user_id, payload, row, values, waiting, n_waiting, slots, sums, n_users
):
    """Let rows wait and count full regions, from `row` on until the table is half full.

    Returns:
        (rows done, number of users, the region that has more than the table takes or -1).
    """
    region_shift = np.uint64(64 - _REGION_BITS)
    n_rows, most = len(user_id), waiting.shape[1]
    while row < n_rows:
        user = np.uint64(user_id[row])
        region = (user * GOLDEN) >> region_shift
        position = n_waiting[region]
        waiting[region, np.uint64(position)] = (user << _U32) | np.uint64(np.uint32(payload[row]))
        n_waiting[region] = position + 1
        row += 1
        if position + 1 == most:
            n_counted, n_users = _count(waiting[region], 0, values, slots, sums, n_users)
            if n_counted < most:
                waiting[region, : most - n_counted] = waiting[region, n_counted:].copy()
                n_waiting[region] = most - n_counted
                return row, n_users, np.int64(region)
            n_waiting[region] = 0
    return row, n_users, np.int64(-1)


@compiled
def _rehash(slots, sums, grown, grown_sums):  # type: ignore[no-untyped-def]
    shift = _slot_shift(grown)
    for old in range(len(slots)):
        if slots[old, 0] != 0:
            slot = _slot_of(slots[old, 0] >> _U32, grown, shift)
            grown[slot] = slots[old]
            grown_sums[slot] = sums[old]
