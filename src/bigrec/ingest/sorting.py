"""A bounded two-pass bucket sort on disk: rows in any order, out sorted by (primary, secondary) id.

The first pass groups the rows of a unit by ranges of the primary id, chosen from a sample so that a
bucket fits memory, and appends them to one spill file; the second gathers a bucket from all units,
sorts it by radix and hands it on. A bucket that grew too large all the same is bucket-sorted in its
turn. A row is a record of three int32, primary id, secondary id and payload, or of four where the
second of the day stands beside them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.errors import DataError
from bigrec.schema import MAX_ID
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_WORD_BYTES = 4
_SLOT_BITS = 14
_SUB_BITS = 7  # buckets of ids that have as many bits: 1 << _SUB_BITS
_RADIX_BITS = 11
_SAMPLE_ROWS = 1 << 16
_NO_SECONDS: Final = np.empty(0, np.int32)


@dataclass(frozen=True)
class BucketPlan:
    """Which bucket a primary id belongs to."""

    bucket_of_slot: Array
    """(n_slots,) int32, ascending; the slot of an id is clipped to it."""
    lowest: int
    """The id where slot 0 starts."""
    shift: int
    """Bits of an id below a slot."""
    n_buckets: int
    """Number of buckets, at least 1."""
    n_fine: int = 0
    """The first ids, which have a slot each."""


def plan_buckets(sample: Array, n_rows: int, rows_per_bucket: int) -> BucketPlan:
    """Cut the id range into buckets of about rows_per_bucket rows, judged by a sample of ids.

    Args:
        sample: int32, primary ids of rows drawn evenly from the input; at least one.
        n_rows: rows to expect in all.
        rows_per_bucket: target size of a bucket.
    """
    lowest = int(sample.min())
    shift = max(0, (int(sample.max()) - lowest).bit_length() - _SLOT_BITS)
    slots = np.bincount((sample - lowest) >> shift)  # (n_slots,)
    n_wanted = max(1, -(-n_rows // rows_per_bucket))
    rows_before = np.cumsum(slots) - slots
    raw = rows_before * n_wanted // len(sample)
    bucket_of_slot = np.unique(raw, return_inverse=True)[1].astype(np.int32)
    return BucketPlan(bucket_of_slot, lowest, shift, int(bucket_of_slot[-1]) + 1)


def plan_numbered_buckets() -> BucketPlan:
    """Cut ids that are numbered in the order of appearance, however many there will be.

    Early ones have more rows, so buckets grow with the ids: there are 1 << _SUB_BITS for ids of as
    many bits. Small neighbors are read together, large buckets are cut again.
    """
    n_fine = 1 << _SLOT_BITS
    fine = np.arange(1, n_fine + 1, dtype=np.int64)
    first_ids = np.concatenate((fine, np.arange(n_fine + 1, MAX_ID, 1 << _SLOT_BITS)))
    bits = np.frexp(first_ids.astype(np.float64))[1]
    sub = (first_ids << _SUB_BITS >> (bits - 1)) & ((1 << _SUB_BITS) - 1)
    bucket_of_slot = np.unique(bits << _SUB_BITS | sub, return_inverse=True)[1].astype(np.int32)
    n_buckets = int(bucket_of_slot[-1]) + 1
    return BucketPlan(bucket_of_slot, 1, _SLOT_BITS, n_buckets, n_fine)


def group_rows(
    plan: BucketPlan,
    primary: Array,
    secondary: Array,
    payload: Array,
    second: Array | None,
    workspace: Workspace,
) -> tuple[Array, Array]:
    """Group rows by bucket, keeping their order inside each.

    Args:
        plan: the buckets.
        primary, secondary, payload: (n,) int32.
        second: (n,) int32, or None where there is none.
        workspace: scratch memory, which holds the result.

    Returns:
        Records (n, 3 or 4) int32; edges (n_buckets + 1,) int64, where bucket b is
        edges[b]:edges[b + 1].
    """
    n = len(payload)
    width = 3 if second is None else 4
    records = workspace.array("records", width * n, np.int32).reshape(n, width)
    edges = np.zeros(plan.n_buckets + 1, np.int64)
    _scatter(
        primary, secondary, payload, _NO_SECONDS if second is None else second,
        plan.bucket_of_slot, plan.lowest, plan.n_fine, plan.shift, records, edges,
    )  # fmt: skip
    return records, edges


class Spill:
    """A file of rows grouped by bucket. Units may be added by several threads, in any order.

    Args:
        path: of the file.
        plan: the buckets.
        with_seconds: whether each row has a second of the day.
    """

    def __init__(self, path: Path, plan: BucketPlan, *, with_seconds: bool = False) -> None:
        self.plan = plan
        self.width = 4 if with_seconds else 3
        """Words of a record."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._size = 0
        self._units: dict[int, tuple[int, Array]] = {}  # place in the file, edges of the buckets
        self._lock = threading.Lock()
        self._finer: list[Spill] = []  # of buckets that grew too large

    @property
    def n_rows(self) -> int:
        """Rows added so far."""
        return self._size // self._record_bytes

    @property
    def _record_bytes(self) -> int:
        return self.width * _WORD_BYTES

    def add(
        self,
        unit: int,
        primary: Array,
        secondary: Array,
        payload: Array,
        second: Array | None,
        workspace: Workspace,
    ) -> None:
        """Add the rows of one unit; rows of a bucket keep their order.

        Args:
            unit: number of the unit: rows of lower units come before rows of higher ones.
            primary, secondary, payload: (n,) int32.
            second: (n,) int32, or None where there is none.
            workspace: scratch memory.
        """
        n = len(payload)
        if not n:
            return
        records, edges = group_rows(self.plan, primary, secondary, payload, second, workspace)
        with self._lock:
            start = self._size
            self._size += n * self._record_bytes
            self._units[unit] = start, edges
        data = memoryview(records.data).cast("B")
        while data:
            written = os.pwrite(self._descriptor, data, start)
            data, start = data[written:], start + written

    def buckets(self, max_rows: int, workspace: Workspace) -> Iterator[Bucket]:
        """Yield the buckets that hold rows, ascending, none with more than max_rows if possible.

        Neighbors come together while they have no more than half of that. A single id with more
        rows than that still comes whole.
        """
        sizes = np.zeros(self.plan.n_buckets, np.int64)
        for _, edges in self._units.values():
            sizes += np.diff(edges)
        first = n_together = 0
        for number, n_rows in enumerate([*sizes.tolist(), max_rows]):
            if n_together and (2 * (n_together + n_rows) > max_rows):
                yield Bucket(self, first, number, n_together)
                n_together = 0
            if number == len(sizes):
                return
            if n_rows > max_rows:
                yield from self._split(
                    Bucket(self, number, number + 1, n_rows), max_rows, workspace
                )
                continue
            if not n_together:
                first = number
            n_together += n_rows

    def segments(self, bucket: Bucket) -> Iterator[tuple[int, int]]:
        """Yield where the rows of a bucket lie, in order of units: (offset in bytes, rows)."""
        for unit in sorted(self._units):
            start, edges = self._units[unit]
            n_rows = int(edges[bucket.stop] - edges[bucket.first])
            if n_rows:
                yield start + int(edges[bucket.first]) * self._record_bytes, n_rows

    def read_into(self, records: Array, offset: int) -> None:
        """Fill records (n, 3) int32 from a place in the file."""
        data = memoryview(records.data).cast("B")
        while data:
            n_read = os.preadv(self._descriptor, [data], offset)
            if not n_read:
                raise DataError(
                    f"{self._path} ended early",
                    hint="something changed the temporary files; run again",
                )
            data, offset = data[n_read:], offset + n_read

    def close(self) -> None:
        """Delete the file and those of its split buckets."""
        for spill in self._finer:
            spill.close()
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)

    def _split(self, bucket: Bucket, max_rows: int, workspace: Workspace) -> Iterator[Bucket]:
        every = max(1, bucket.n_rows // _SAMPLE_ROWS)
        sample = np.concatenate(
            [part[::every, 0].copy() for part in bucket.chunks(max_rows, workspace)]
        )
        plan = plan_buckets(sample, bucket.n_rows, max_rows // 2)
        if plan.n_buckets == 1:
            yield bucket
            return
        path = self._path.with_name(f"{self._path.name}-{bucket.first}")
        finer = Spill(path, plan, with_seconds=self.width == 4)
        self._finer.append(finer)
        for number, part in enumerate(bucket.chunks(max_rows, workspace)):
            second = part[:, 3] if self.width == 4 else None
            finer.add(number, part[:, 0], part[:, 1], part[:, 2], second, workspace)
        yield from finer.buckets(max_rows, workspace)


@dataclass(frozen=True)
class Bucket:
    """Some neighboring buckets of a spill file, as one."""

    spill: Spill
    first: int
    stop: int
    """One past the last."""
    n_rows: int

    def read(self, workspace: Workspace) -> Array:
        """The rows, (n_rows, width) int32, in order of their units."""
        width = self.spill.width
        records = workspace.array("bucket", width * self.n_rows, np.int32).reshape(-1, width)
        filled = 0
        for offset, n_rows in self.spill.segments(self):
            self.spill.read_into(records[filled : filled + n_rows], offset)
            filled += n_rows
        return records

    def chunks(self, max_rows: int, workspace: Workspace) -> Iterator[Array]:
        """Yield the rows in pieces of at most max_rows; a piece holds until the next one."""
        for offset, n_rows in self.spill.segments(self):
            for first in range(0, n_rows, max_rows):
                size = min(max_rows, n_rows - first)
                width = self.spill.width
                records = workspace.array("chunk", width * size, np.int32).reshape(-1, width)
                self.spill.read_into(records, offset + first * width * _WORD_BYTES)
                yield records


def sort_records(records: Array, workspace: Workspace, *, secondary_sorted: bool) -> Array:
    """Sort records by (primary, secondary); rows of equal ids keep their order.

    Args:
        records: (n, 3 or 4) int32; overwritten.
        workspace: scratch memory.
        secondary_sorted: whether rows of one primary id already come in order of the secondary.

    Returns:
        The same rows, in the memory of `records` or of the workspace.
    """
    scratch = workspace.array("sort", records.size, np.int32).reshape(records.shape)
    if not secondary_sorted:
        records, scratch = _radix_sort(records, scratch, 1)
    result: Array = _radix_sort(records, scratch, 0)[0]
    return result


@compiled
def _slot_of(id_, lowest, n_fine, shift, last_slot):  # type: ignore[no-untyped-def]
    position = max(np.int64(id_) - lowest, 0)
    if position >= n_fine:
        position = n_fine + ((position - n_fine) >> shift)
    return min(position, last_slot)


@compiled
def _scatter(  # type: ignore[no-untyped-def]
    primary, secondary, payload, second, bucket_of_slot, lowest, n_fine, shift, records, edges
):
    """Group rows by bucket; edges[b] becomes the first row of bucket b, edges[-1] the number."""
    last_slot = len(bucket_of_slot) - 1
    n = len(payload)
    n_buckets = len(edges) - 1
    for row in range(n):
        slot = _slot_of(primary[row], lowest, n_fine, shift, last_slot)
        edges[bucket_of_slot[slot] + 1] += 1
    for bucket in range(n_buckets):
        edges[bucket + 1] += edges[bucket]
    positions = edges[:n_buckets].copy()
    for row in range(n):
        slot = _slot_of(primary[row], lowest, n_fine, shift, last_slot)
        bucket = bucket_of_slot[slot]
        position = positions[bucket]
        positions[bucket] = position + 1
        records[position, 0] = primary[row]
        records[position, 1] = secondary[row]
        records[position, 2] = payload[row]
        if len(second) > 0:
            records[position, 3] = second[row]


@compiled
def _radix_sort(records, scratch, column):  # type: ignore[no-untyped-def]
    """Stable sort by one column, up to 11 bits a pass; return (sorted, spare)."""
    n = len(records)
    lowest = highest = np.int64(records[0, column])
    for row in range(n):
        lowest = min(lowest, np.int64(records[row, column]))
        highest = max(highest, np.int64(records[row, column]))
    bits = 0
    while (highest - lowest) >> bits:
        bits += 1
    n_passes = (bits + _RADIX_BITS - 1) // _RADIX_BITS
    if n_passes == 0:
        return records, scratch
    digit_bits = (bits + n_passes - 1) // n_passes
    digit_mask = (1 << digit_bits) - 1
    counts = np.zeros(1 << digit_bits, np.int64)
    for number in range(n_passes):
        shift = number * digit_bits
        counts[:] = 0
        for row in range(n):
            counts[((records[row, column] - lowest) >> shift) & digit_mask] += 1
        total = 0
        for digit in range(len(counts)):
            total, counts[digit] = total + counts[digit], total
        for row in range(n):
            digit = ((records[row, column] - lowest) >> shift) & digit_mask
            position = counts[digit]
            counts[digit] = position + 1
            scratch[position, 0] = records[row, 0]
            scratch[position, 1] = records[row, 1]
            scratch[position, 2] = records[row, 2]
            if records.shape[1] == 4:
                scratch[position, 3] = records[row, 3]
        records, scratch = scratch, records
    return records, scratch
