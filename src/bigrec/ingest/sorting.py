"""A bounded two-pass bucket sort on disk: rows in any order, out sorted by (primary, secondary) id.

The first pass scatters rows into files by ranges of the primary id, chosen from a sample so that a
bucket fits memory; the second reads one bucket, sorts it by radix and hands it on. A bucket that
grew too large all the same is read in several sub-ranges. A row is a record of three int32:
primary id, secondary id, and day and half stars packed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numba
import numpy as np

from bigrec.ingest.kernels import row_digest

Array = np.ndarray[Any, Any]

RECORD_BYTES: Final = 12
_SLOT_BITS = 14
_READ_ROWS = 1 << 20

_compiled = numba.njit(nogil=True, cache=True)


@dataclass(frozen=True)
class BucketPlan:
    """Which bucket a primary id belongs to."""

    bucket_of_slot: Array
    """(n_slots,) int32, ascending: the bucket of an id is `bucket_of_slot[min(id >> shift, last)]`."""
    shift: int
    """Bits of an id below a slot."""
    n_buckets: int
    """Number of buckets, at least 1."""


def plan_buckets(sample: Array, n_rows: int, rows_per_bucket: int) -> BucketPlan:
    """Cut the id range into buckets of about rows_per_bucket rows, judged by a sample of ids.

    Args:
        sample: int32, primary ids of rows drawn evenly from the input; at least one.
        n_rows: rows to expect in all.
        rows_per_bucket: target size of a bucket.
    """
    shift = max(0, int(sample.max()).bit_length() - _SLOT_BITS)
    slots = np.bincount(sample >> shift)  # (n_slots,)
    n_wanted = max(1, -(-n_rows // rows_per_bucket))
    rows_before = np.cumsum(slots) - slots
    raw = rows_before * n_wanted // len(sample)
    bucket_of_slot = np.unique(raw, return_inverse=True)[1].astype(np.int32)
    return BucketPlan(bucket_of_slot, shift, int(bucket_of_slot[-1]) + 1)


@dataclass(frozen=True)
class Scattered:
    """The rows of one unit, grouped by bucket, ready to be appended."""

    records: Array  # (n_rows, 3) int32
    ends: Array  # (n_buckets,) int64, one past the last row of each bucket


def scatter_rows(plan: BucketPlan, primary: Array, secondary: Array, payload: Array) -> Scattered:
    """Group rows by bucket, keeping their order inside each.

    Args:
        plan: the buckets.
        primary: (n,) int32 ids that the buckets go by.
        secondary: (n,) int32 ids.
        payload: (n,) int32, day << 8 | half stars.
    """
    records = np.empty((len(primary), 3), np.int32)
    ends = np.zeros(plan.n_buckets, np.int64)
    _scatter(primary, secondary, payload, plan.bucket_of_slot, plan.shift, records, ends)
    return Scattered(records, ends)


class BucketFiles:
    """The spilled rows of all buckets, one file each.

    A row's place inside its bucket is the order of `append` calls.
    """

    def __init__(self, folder: Path, plan: BucketPlan) -> None:
        folder.mkdir(parents=True)
        self._paths = [folder / f"{bucket:05d}" for bucket in range(plan.n_buckets)]
        self._files: list[BinaryIO] = [path.open("wb", buffering=0) for path in self._paths]
        self._n_rows = [0] * plan.n_buckets

    def append(self, scattered: Scattered) -> None:
        """Append the rows of one unit to their buckets."""
        start = 0
        for bucket, end in enumerate(scattered.ends.tolist()):
            if end > start:
                _write_all(self._files[bucket], scattered.records[start:end])
                self._n_rows[bucket] += end - start
            start = end

    def finish(self) -> list[Bucket]:
        """Close the files and return the buckets that hold rows, in ascending order of ids."""
        for file in self._files:
            file.close()
        return [
            Bucket(path, n_rows)
            for path, n_rows in zip(self._paths, self._n_rows, strict=True)
            if n_rows
        ]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


@dataclass(frozen=True)
class Bucket:
    """One bucket on disk."""

    path: Path
    n_rows: int

    def read_parts(self, max_rows: int) -> Iterator[Array]:
        """Yield the rows as (n, 3) int32 in runs of ascending primary ids, of max_rows if possible.

        A single id with more rows than that still comes whole.
        """
        if self.n_rows <= max_rows:
            yield np.fromfile(self.path, np.int32).reshape(-1, 3)
            return
        lowest = min(int(chunk[:, 0].min()) for chunk in self._chunks())
        highest = max(int(chunk[:, 0].max()) for chunk in self._chunks())
        edges = [lowest, highest + 1]
        while True:  # halve every range that holds too much, until none can be halved
            counts = np.zeros(len(edges) - 1, np.int64)
            for chunk in self._chunks():
                counts += np.histogram(chunk[:, 0], edges)[0]
            middles = [
                (low + high) // 2
                for low, high, count in zip(edges, edges[1:], counts, strict=False)
                if count > max_rows and high - low > 1
            ]
            if not middles:
                break
            edges = sorted([*edges, *middles])
        for low, high, count in zip(edges, edges[1:], counts.tolist(), strict=False):
            if count:
                part = np.empty((count, 3), np.int32)
                filled = 0
                for chunk in self._chunks():
                    inside = chunk[(chunk[:, 0] >= low) & (chunk[:, 0] < high)]
                    part[filled : filled + len(inside)] = inside
                    filled += len(inside)
                yield part

    def _chunks(self) -> Iterator[Array]:
        for start in range(0, self.n_rows, _READ_ROWS):
            count = min(_READ_ROWS, self.n_rows - start)
            yield np.fromfile(
                self.path, np.int32, count=3 * count, offset=start * RECORD_BYTES
            ).reshape(-1, 3)


@dataclass(frozen=True)
class SortedRows:
    """Rows sorted by (primary, secondary), as columns, with their statistics by primary id."""

    primary: Array  # (n,) int32
    secondary: Array  # (n,) int32
    rating: Array  # (n,) float32, stars
    day: Array  # (n,) int32, since 1970-01-01
    ids: Array  # (n_ids,) int32, the distinct primary ids
    counts: Array  # (n_ids,) int32, rows of each
    sums: Array  # (n_ids,) int64, half stars of each added up
    first_days: Array  # (n_ids,) int32
    last_days: Array  # (n_ids,) int32
    duplicate: int  # a row whose pair of ids repeats the row before it, or -1
    digest: int  # sum of the rows' digests modulo 2^64


def sort_rows(records: Array, *, secondary_sorted: bool, movie_is_primary: bool) -> SortedRows:
    """Sort records by (primary, secondary) and unpack them into columns.

    Args:
        records: (n, 3) int32; overwritten.
        secondary_sorted: whether rows of one primary id already come in order of the secondary.
        movie_is_primary: which of the two ids is the movie; the digest needs to know.
    """
    scratch = np.empty_like(records)
    if not secondary_sorted:
        records, scratch = _radix_sort(records, scratch, 1)
    records, scratch = _radix_sort(records, scratch, 0)
    del scratch
    n = len(records)
    n_ids = int(np.count_nonzero(np.diff(records[:, 0]))) + 1
    primary, secondary, day = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    rating = np.empty(n, np.float32)
    ids, counts = np.zeros(n_ids, np.int32), np.zeros(n_ids, np.int32)
    sums = np.zeros(n_ids, np.int64)
    first_days, last_days = np.zeros(n_ids, np.int32), np.zeros(n_ids, np.int32)
    duplicate, digest = _unpack(
        records, movie_is_primary, primary, secondary, rating, day,
        ids, counts, sums, first_days, last_days,
    )  # fmt: skip
    return SortedRows(
        primary, secondary, rating, day, ids, counts, sums, first_days, last_days,
        int(duplicate), int(digest),
    )  # fmt: skip


def _write_all(file: BinaryIO, rows: Array) -> None:
    data = memoryview(rows.reshape(-1)).cast("B")
    while data:
        data = data[file.write(data) :]


@_compiled
def _scatter(primary, secondary, payload, bucket_of_slot, shift, records, ends):  # type: ignore[no-untyped-def]
    last_slot = len(bucket_of_slot) - 1
    n = len(primary)
    for row in range(n):
        ends[bucket_of_slot[min(primary[row] >> shift, last_slot)]] += 1
    total = 0
    for bucket in range(len(ends)):
        total, ends[bucket] = total + ends[bucket], total
    for row in range(n):
        bucket = bucket_of_slot[min(primary[row] >> shift, last_slot)]
        place = ends[bucket]
        ends[bucket] = place + 1
        records[place, 0] = primary[row]
        records[place, 1] = secondary[row]
        records[place, 2] = payload[row]


@_compiled
def _radix_sort(records, scratch, column):  # type: ignore[no-untyped-def]
    """Stable sort by one column, 11 bits a pass; return (sorted, spare)."""
    n = len(records)
    lowest = records[0, column]
    highest = lowest
    for row in range(n):
        lowest = min(lowest, records[row, column])
        highest = max(highest, records[row, column])
    counts = np.zeros(2048, np.int64)
    shift = 0
    while (np.int64(highest) - lowest) >> shift:
        counts[:] = 0
        for row in range(n):
            counts[((records[row, column] - lowest) >> shift) & 2047] += 1
        total = 0
        for digit in range(2048):
            total, counts[digit] = total + counts[digit], total
        for row in range(n):
            digit = ((records[row, column] - lowest) >> shift) & 2047
            place = counts[digit]
            counts[digit] = place + 1
            scratch[place, 0] = records[row, 0]
            scratch[place, 1] = records[row, 1]
            scratch[place, 2] = records[row, 2]
        records, scratch = scratch, records
        shift += 11
    return records, scratch


@_compiled
def _unpack(  # type: ignore[no-untyped-def]
    records, movie_is_primary, primary, secondary, rating, day, ids, counts, sums, first_days, last_days
):  # fmt: skip
    duplicate = np.int64(-1)
    digest = np.uint64(0)
    current = -1
    for row in range(len(records)):
        one, two, payload = records[row, 0], records[row, 1], records[row, 2]
        row_day = payload >> 8
        half_stars = payload & 255
        if row == 0 or one != primary[row - 1]:
            current += 1
            ids[current] = one
            first_days[current] = row_day
            last_days[current] = row_day
        elif two == secondary[row - 1] and duplicate < 0:
            duplicate = row
        counts[current] += 1
        sums[current] += half_stars
        first_days[current] = min(first_days[current], row_day)
        last_days[current] = max(last_days[current], row_day)
        primary[row] = one
        secondary[row] = two
        rating[row] = half_stars * np.float32(0.5)
        day[row] = row_day
        movie, user = (one, two) if movie_is_primary else (two, one)
        key = (np.uint64(user) << np.uint64(32)) | np.uint64(payload)
        digest += row_digest(movie, key)
    return duplicate, digest
