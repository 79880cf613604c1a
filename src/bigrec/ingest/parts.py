"""Writing the parts of a store's ratings, and what is counted of them on the way."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.ingest.repeats import ADDING, ERROR, merge_repeats, recode, set_codes
from bigrec.ingest.row_kernels import GroupStats, summarise_rows
from bigrec.ingest.sorting import Bucket, sort_records
from bigrec.ingest.users import UserTable
from bigrec.interactions import Scale
from bigrec.sources.parsed import ParsedRows
from bigrec.store.ratings_file import RatingsWriter
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_NO_SECONDS: Final = np.empty(0, np.int32)


@dataclass(frozen=True)
class Part:
    """What is known of one written part."""

    stats: GroupStats
    """By primary id."""
    digest: int
    """Of its rows."""
    n_rows: int
    """Rows in the file."""
    repeated: list[tuple[int, int]]
    """(item, user) of rows that were left out because they repeat others."""
    n_merged: int
    """Rows that became one with others."""
    path: Path
    """Of the file."""
    sha256: str
    """Of the file."""


class RepeatedPair(Exception):  # noqa: N818 - the builder makes an error of it, with lines
    """A user rates an item again.

    Args:
        pairs: (item, user) of such rows.
    """

    def __init__(self, pairs: set[tuple[int, int]]) -> None:
        super().__init__(f"{len(pairs)} pairs")
        self.pairs = pairs


class _Writers(threading.local):
    """A RatingsWriter for each thread."""

    def __init__(self, scale: Scale, time_unit: str) -> None:
        self.writer = RatingsWriter(scale, time_unit)


class PartWriter:
    """Writes parts; may be called from several threads.

    Args:
        scale: the ratings that there are.
        time_unit: what is kept of times.
        values: (n_codes,) float32, the rating of each code as it comes.
        code_map: (n_codes,) int32, what each becomes on the scale; None where it stays.
        repeats: what becomes of rows that repeat a pair.
        skips: whether such rows are left out where they are errors.
        users: counts users where no order by user does.
        workspace: scratch memory.
    """

    def __init__(
        self,
        scale: Scale,
        time_unit: str,
        *,
        values: Array,
        code_map: Array | None,
        repeats: str,
        skips: bool,
        users: UserTable | None,
        workspace: Workspace,
    ) -> None:
        self._scale = scale
        self._values = values.astype(np.float64)
        self._final_values = scale.table.astype(np.float64)
        self._code_map = code_map
        self._repeats = repeats
        self._skips = skips
        self._users = users
        self._workspace = workspace
        self._writers = _Writers(scale, time_unit)

    def write_items(self, path: Path, rows: ParsedRows) -> Part:
        """Write the rows of an item-sorted unit.

        Raises:
            RepeatedPair: a user rates an item again.
        """
        second = _NO_SECONDS if rows.second is None else rows.second
        stats, digest, repeated = self._summarise(
            rows.item_id, rows.user_id, rows.payload, second, item_is_primary=True
        )
        if repeated >= 0:
            raise RepeatedPair({(int(rows.item_id[repeated]), int(rows.user_id[repeated]))})
        # Threads that would wait to count users write first.
        is_counted = not self._users or self._users.try_add(rows.user_id, rows.payload)
        sha256 = self._writers.writer.write(
            path, rows.item_id, rows.user_id, rows.payload, rows.second
        )
        if self._users and not is_counted:
            self._users.add(rows.user_id, rows.payload)
        return Part(stats, digest, len(rows.payload), [], 0, path, sha256)

    def merged_values(self, bucket: Bucket) -> Array:
        """The distinct ratings of a bucket once its repeated pairs are merged: float32."""
        records = sort_records(
            bucket.read(self._workspace), self._workspace, secondary_sorted=False
        )
        return np.unique(merge_repeats(records, self._repeats, self._values)[1])

    def write_bucket(
        self, path: Path, bucket: Bucket, *, item_is_primary: bool, secondary_sorted: bool
    ) -> Part:
        """Sort and write a bucket.

        Args:
            path: of the part.
            bucket: its rows.
            item_is_primary: whether rows are sorted by item, not by user.
            secondary_sorted: whether rows of one primary id come in order of the secondary.

        Raises:
            RepeatedPair: a user rates an item again.
        """
        records = sort_records(
            bucket.read(self._workspace), self._workspace, secondary_sorted=secondary_sorted
        )
        n_read = len(records)
        if self._repeats != ERROR:
            records, ratings = merge_repeats(records, self._repeats, self._values)
            if self._repeats in ADDING:
                set_codes(records, ratings, self._scale.table)
        if self._code_map is not None and self._repeats not in ADDING:
            recode(records, self._code_map)
        n_merged = n_read - len(records)
        order = (0, 1) if item_is_primary else (1, 0)
        stats, digest, repeated = self._summarise_records(records, item_is_primary=item_is_primary)
        pairs: list[tuple[int, int]] = []
        if repeated >= 0:
            again = np.flatnonzero(~np.diff(records[:, :2], axis=0).any(axis=1)) + 1
            pairs = [(int(row[order[0]]), int(row[order[1]])) for row in records[again]]
            if not self._skips:
                raise RepeatedPair(set(pairs))
            records = np.delete(records, again, axis=0)  # the first line counts
            stats, digest, _ = self._summarise_records(records, item_is_primary=item_is_primary)
        item_id, user_id = records[:, order[0]], records[:, order[1]]
        second = records[:, 3] if records.shape[1] == 4 else None
        sha256 = self._writers.writer.write(
            path, item_id, user_id, records[:, 2], second, by_user=not item_is_primary
        )
        if self._users:
            self._users.add(user_id, records[:, 2])
        return Part(stats, digest, len(records), pairs, n_merged, path, sha256)

    def _summarise_records(
        self, records: Array, *, item_is_primary: bool
    ) -> tuple[GroupStats, int, int]:
        second = records[:, 3] if records.shape[1] == 4 else records[:0, 2]
        return self._summarise(
            records[:, 0], records[:, 1], records[:, 2], second, item_is_primary=item_is_primary
        )

    def _summarise(
        self,
        primary: Array,
        secondary: Array,
        payload: Array,
        second: Array,
        *,
        item_is_primary: bool,
    ) -> tuple[GroupStats, int, int]:
        """Statistics by primary id, digest, and the first row that repeats a pair or -1."""
        n = len(payload)
        kinds = (np.int32, np.int32, np.float64, np.int32, np.int32)
        columns = [self._workspace.array(f"stats {i}", n, kind) for i, kind in enumerate(kinds)]
        n_ids, repeated, digest = summarise_rows(
            primary, secondary, payload, second, self._final_values, item_is_primary, *columns
        )
        return (
            GroupStats(*(column[:n_ids].copy() for column in columns)),
            int(digest),
            int(repeated),
        )
