"""Numbering keys from 1 in the order in which they first appear: a hash table from texts to ids.

A slot is one word: 32 bits of the key's hash and the key's number in the table, from 1. A key of up
to 16 bytes is two words, which are compared as they are; of a longer one they are its hash and
where it stands in a heap, where it is compared byte by byte.

Threads look keys up at the same time; new keys are added by one thread at a time, in the order of
the rows, so that ids do not depend on how many threads there are. Whoever looks up while keys are
added may miss some, which are then found when it is the caller's turn to add them.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled, inlined_part
from bigrec.ingest.key_file import KeyFile
from bigrec.schema import MAX_ID
from bigrec.sources.fields import load_word
from bigrec.sources.keys import MAX_KEY_BYTES, Keys
from bigrec.splitmix import GOLDEN, mix64
from bigrec.workspace import Workspace, new_map

Array = np.ndarray[Any, Any]

_FIRST_SLOTS: Final = 1 << 12
_SLOT_BYTES, _KEY_BYTES = 8, 16
_SHORT = 16  # bytes of a key that is compared as two words
_LENGTH_BITS = np.uint64(10)
_LENGTH_MASK = np.uint64((1 << 10) - 1)
_ONE, _U32, _MASK32 = np.uint64(1), np.uint64(32), np.uint64(0xFFFF_FFFF)
_FULL_NUMERATOR, _FULL_DENOMINATOR = 3, 4  # share of the slots that are taken before it grows
_HEAP_BYTES: Final = 1 << 16
_BLOCK = 1 << 9  # rows that are looked up together

assert int(_LENGTH_MASK) >= MAX_KEY_BYTES  # noqa: S101


class Memory:
    """What several tables may take together.

    Args:
        n_bytes: of all of them.
    """

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self._n_free = n_bytes

    def take(self, n_bytes: int) -> bool:
        """Take so many bytes if they are free; whether they were. Less than none is given back."""
        if n_bytes > self._n_free:
            return False
        self._n_free -= n_bytes
        return True


class KeyTable:
    """The keys of users or of items, as many as the memory holds.

    Args:
        path: a file for the keys in the order of their numbers.
        first_id: the id of the first key.
        memory: what it may take; when there is no more, further keys stay unknown.
    """

    def __init__(self, path: Path, memory: Memory, first_id: int = 1) -> None:
        self.file = KeyFile(path)
        self.n_keys = 0
        self.is_full = False
        self._memory = memory
        self._n_taken = 0
        self._first_id = first_id
        self._slots = _zeros(_FIRST_SLOTS)
        most = max(_FIRST_SLOTS, memory.n_bytes // _KEY_BYTES)
        self._words = _zeros(2 * most).reshape(-1, 2)
        self._heap = np.zeros(_HEAP_BYTES, np.uint8)
        self._n_heap = 0

    @property
    def next_id(self) -> int:
        """The id of the next new key."""
        return self._first_id + self.n_keys

    def find(self, keys: Keys, workspace: Workspace, name: str) -> Array:
        """The id of each key, 0 where it is unknown: (n,) int32 in the workspace.

        Args:
            keys: what to look for.
            workspace: scratch memory of the thread.
            name: of the array in it.
        """
        ids = workspace.array(name, len(keys.starts), np.int32)
        _find(
            keys.text, keys.starts, keys.lengths,
            self._slots, self._words, self._heap, self._first_id - 1, ids,
        )  # fmt: skip
        return ids

    def add(self, keys: Keys, ids: Array) -> None:
        """Number the keys whose id is 0, in their order, until the table is full.

        Args:
            keys: the same that were looked up.
            ids: (n,) int32, which are filled in.
        """
        unknown = np.flatnonzero(ids == 0)
        row = 0
        while row < len(unknown):
            room = self._room()
            heap = self._heap_for(keys, unknown[row:])
            before = self.n_keys
            row, self.n_keys, self._n_heap = _add(
                keys.text, keys.starts, keys.lengths, unknown, row, 0 if self.is_full else room,
                self._slots, self._words, heap, self._n_heap, self.n_keys, self._first_id - 1, ids,
            )  # fmt: skip
            self._heap = heap
            if self.n_keys > before:
                new = _first_rows(ids, unknown[:row], self._first_id + before, self.n_keys - before)
                self.file.append(keys.take(new))
            if row < len(unknown) and not self.is_full:
                self._grow()

    def release(self) -> None:
        """Give the memory back; no key is looked up any more."""
        self._memory.take(-self._n_taken)
        self._n_taken = 0
        self._slots, self._words = np.zeros(1, np.uint64), np.zeros((1, 2), np.uint64)
        self._heap = np.zeros(1, np.uint8)

    def _room(self) -> int:
        """How many keys it may hold before it grows."""
        return len(self._slots) * _FULL_NUMERATOR // _FULL_DENOMINATOR

    def _heap_for(self, keys: Keys, rows: Array) -> Array:
        """A heap with room for the long ones among some keys."""
        lengths = keys.lengths[rows]
        needed = self._n_heap + int(lengths[lengths > _SHORT].sum())
        if needed + _SHORT <= len(self._heap):
            return self._heap
        heap = np.zeros(max(needed + _SHORT, 2 * len(self._heap)), np.uint8)
        heap[: self._n_heap] = self._heap[: self._n_heap]
        return heap

    def _grow(self) -> None:
        """Twice as many slots, or none more where the memory does not allow it."""
        n_slots = 2 * len(self._slots)
        n_bytes = (
            (n_slots + len(self._slots)) * _SLOT_BYTES
            + n_slots * _FULL_NUMERATOR // _FULL_DENOMINATOR * _KEY_BYTES
            + 2 * len(self._heap)
        )
        if self.next_id + n_slots > MAX_ID or not self._memory.take(n_bytes - self._n_taken):
            self.is_full = True
            return
        self._n_taken = n_bytes
        slots = _zeros(n_slots)
        _rehash(self._slots, self._words, slots)
        self._slots = slots


def _zeros(n_words: int) -> Array:
    """Zeroed words in large pages, since they are looked at in no order."""
    memory = new_map(8 * n_words)
    with suppress(OSError):  # of a system without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64)


@inlined_part
def _tail(word, n_bytes):  # type: ignore[no-untyped-def]
    """The first 1 to 8 bytes of a word."""
    shift = np.uint64(64 - 8 * n_bytes)
    return (word << shift) >> shift


@inlined_part
def _hash_words(one, two):  # type: ignore[no-untyped-def]
    return mix64(one ^ mix64(two + GOLDEN))


@inlined_part
def hash_key(text, start, length):  # type: ignore[no-untyped-def]
    """The hash of a key, and what it is in the table.

    Returns:
        (hash, first word, second word); of a long key the first word is the hash itself, and the
        second its length.
    """
    if length <= _SHORT:
        if length <= 8:
            one, two = _tail(load_word(text, start), length), np.uint64(0)
        else:
            one, two = load_word(text, start), _tail(load_word(text, start + 8), length - 8)
        value = _hash_words(one, two)
    else:
        value, two = np.uint64(length), np.uint64(length)
        position, end = start, start + length
        while end - position >= 8:
            value = mix64(value ^ load_word(text, position)) + GOLDEN
            position += 8
        if position < end:
            value = mix64(value ^ _tail(load_word(text, position), end - position)) + GOLDEN
        value = mix64(value)
        one = value
    return value, one, two


@inlined_part
def _tag(value, length):  # type: ignore[no-untyped-def]
    """The upper half of a slot: bits of the hash, of which the last says that a key is long."""
    is_long = _ONE if length > _SHORT else np.uint64(0)
    return ((value >> _U32) & ~_ONE) | is_long


@inlined_part
def _is_same(text, start, length, one, two, words, heap, number):  # type: ignore[no-untyped-def]
    """Whether key `number` is the one in a text; both are long, or both are not."""
    if words[number, 0] != one:
        return False
    if length <= _SHORT:
        return words[number, 1] == two
    if words[number, 1] & _LENGTH_MASK != two:
        return False
    at = words[number, 1] >> _LENGTH_BITS
    if np.int64(at) + length > len(heap):
        return False  # another thread is adding it, in a larger heap
    byte = 0
    while byte < length and heap[at + np.uint64(byte)] == text[start + byte]:
        byte += 1
    return byte == length


@compiled
def _find(text, starts, lengths, slots, words, heap, base, ids):  # type: ignore[no-untyped-def]
    """Look up every key; see KeyTable.find.

    Tables are larger than caches. Short loops over a block of rows, each with one access to memory
    that does not wait for another, keep many of them under way at a time.
    """
    mask = np.uint64(len(slots) - 1)
    hashes, ones = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    twos, found = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    first_words = np.empty(_BLOCK, np.uint64)
    for begin in range(0, len(starts), _BLOCK):
        n = min(_BLOCK, len(starts) - begin)
        for row in range(n):
            hashes[row], ones[row], twos[row] = hash_key(
                text, starts[begin + row], np.int64(lengths[begin + row])
            )
        for row in range(n):
            found[row] = slots[hashes[row] & mask]
        for row in range(n):
            first_words[row] = words[found[row] & _MASK32, 0]  # whoever it is of
        for row in range(n):
            start, length = starts[begin + row], np.int64(lengths[begin + row])
            value, word, slot = hashes[row], found[row], hashes[row] & mask
            tag = _tag(value, length)
            number = 0
            while word != 0:
                at = np.int64(word & _MASK32) - 1
                if word >> _U32 == tag and _is_same(
                    text, start, length, ones[row], twos[row], words, heap, at
                ):
                    number = at + 1 + base
                    break
                slot = (slot + _ONE) & mask
                word = slots[slot]
            ids[begin + row] = number


@compiled
def _add(  # type: ignore[no-untyped-def]
    text, starts, lengths, unknown, first, room, slots, words, heap, n_heap, n_keys, base, ids
):
    """Number the unknown rows from `first` on, until a key would not fit in the room.

    Returns:
        (rows done, number of keys, bytes of the heap). A full table has no room: all rows are done.
    """
    mask = np.uint64(len(slots) - 1)
    for position in range(first, len(unknown)):
        row = unknown[position]
        start, length = starts[row], np.int64(lengths[row])
        value, one, two = hash_key(text, start, length)
        tag = _tag(value, length)
        slot = value & mask
        found = np.int64(-1)
        while slots[slot] != 0:
            if slots[slot] >> _U32 == tag:
                number = np.int64(slots[slot] & _MASK32) - 1
                if _is_same(text, start, length, one, two, words, heap, number):
                    found = number
                    break
            slot = (slot + _ONE) & mask
        if found < 0:
            if room == 0:
                continue
            if n_keys >= room:
                return position, n_keys, n_heap
            found = n_keys
            if length > _SHORT:
                for byte in range(length):
                    heap[n_heap + byte] = text[start + byte]
                two = (np.uint64(n_heap) << _LENGTH_BITS) | np.uint64(length)
                n_heap += length
            words[found, 0] = one
            words[found, 1] = two
            slots[slot] = (tag << _U32) | np.uint64(found + 1)
            n_keys += 1
        ids[row] = found + 1 + base
    return len(unknown), n_keys, n_heap


@compiled
def _first_rows(ids, rows, first_id, n_ids):  # type: ignore[no-untyped-def]
    """The first of some rows that has each of the new ids: (n_ids,) int64."""
    out = np.full(n_ids, -1, np.int64)
    for row in rows:
        number = ids[row] - first_id
        if 0 <= number < n_ids and out[number] < 0:
            out[number] = row
    return out


@compiled
def _rehash(slots, words, grown):  # type: ignore[no-untyped-def]
    """Move every key to its slot among more of them."""
    mask = np.uint64(len(grown) - 1)
    for old in range(len(slots)):
        if slots[old] != 0:
            number = np.int64(slots[old] & _MASK32) - 1
            one, two = words[number, 0], words[number, 1]
            is_long = (slots[old] >> _U32) & _ONE
            value = one if is_long != 0 else _hash_words(one, two)
            slot = value & mask
            while grown[slot] != 0:
                slot = (slot + _ONE) & mask
            grown[slot] = slots[old]
