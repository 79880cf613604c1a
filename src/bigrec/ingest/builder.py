"""Building one store inside a folder that nobody else sees yet.

Units are parsed by a pool of threads. An item-sorted unit becomes a part of ratings/ at once; every
other sort order goes through the bucket sort. Both orders count the same digest of their rows, so
that a store is published only if they hold the same ones.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError, ResourceError, StoreError
from bigrec.ingest.batches import Unit, open_reader
from bigrec.ingest.rejects import Rejects
from bigrec.ingest.row_kernels import GroupStats, summarise_rows
from bigrec.ingest.sorting import Bucket, Spill, plan_buckets, sort_records
from bigrec.ingest.tables import write_item_table, write_pairs, write_user_table
from bigrec.ingest.unchanged import SourceEntry
from bigrec.ingest.users import UserTable
from bigrec.interactions import Scale
from bigrec.resources import Budget, Progress, format_bytes, map_in_order
from bigrec.sources.contract import Source
from bigrec.sources.fields import BAD_ORDER, EXPECTED
from bigrec.sources.parsed import BadLine, ParsedRows, Titles
from bigrec.sources.raw import RawFile
from bigrec.sources.units import RawUnit, line_at
from bigrec.store.layout import StoreLayout, part_name
from bigrec.store.manifest import Manifest
from bigrec.store.publish import Draft
from bigrec.store.ratings_file import RatingsWriter
from bigrec.version import __version__
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

# The interpreter with its libraries and compiled code. How much of their files is resident differs
# between machines: 240 to 320 MiB were seen.
_BASE_BYTES = 320 << 20
MIN_MEMORY_BYTES: Final = _BASE_BYTES + (128 << 20)
_UNIT_COPIES = 6  # memory that a unit in work or waiting takes, as a multiple of its text
_MAX_UNIT_BYTES = 32 << 20
_SORT_ROW_BYTES = 60  # memory that a row of a bucket in work takes
_MAX_BUCKET_ROWS = 1 << 20
_DIGEST_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class _Part:
    """What is known of one written part."""

    stats: GroupStats  # by primary id
    digest: int
    n_rows: int
    repeated: list[tuple[int, int]]  # (item, user) of rows that were left out
    path: Path
    sha256: str  # of the file


@dataclass(frozen=True)
class _ParsedUnit:
    unit: Unit
    part: _Part | None  # of an item-sorted unit with rows
    n_rows: int
    first_item: int
    last_item: int
    n_lines: tuple[int, ...]
    bad_lines: list[tuple[int, BadLine]]


@dataclass(frozen=True)
class _SmallFiles:
    titles: Titles
    n_pairs: dict[str, int]  # by the name of their table
    bad_lines: list[BadLine]


class _Writers(threading.local):
    """A RatingsWriter for each thread."""

    def __init__(self, scale: Scale) -> None:
        self.writer = RatingsWriter(scale)


class StoreBuilder:
    """Builds one store.

    Args:
        source: the raw data.
        draft: the store to be, empty.
        by_user: whether to write ratings_by_user/.
        rejects: where bad lines go, or None to stop at the first.
        budget: memory and threads.
        progress: told of finished work.
    """

    def __init__(
        self,
        source: Source,
        draft: Draft,
        *,
        by_user: bool,
        rejects: Rejects | None,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self._source = source
        self._reader = open_reader(source)
        self._draft = draft
        self._layout = StoreLayout(draft.folder)
        self._rejects = rejects
        self._budget = budget
        self._progress = progress
        if budget.memory_bytes < MIN_MEMORY_BYTES:
            raise ResourceError(
                f"ingest cannot stay within {format_bytes(budget.memory_bytes)}",
                hint=f"give at least --memory {MIN_MEMORY_BYTES >> 20}MiB",
            )
        spare = (budget.memory_bytes - _BASE_BYTES) // (budget.threads + 1)
        self._unit_bytes = min(spare // _UNIT_COPIES, _MAX_UNIT_BYTES)
        self._bucket_rows = min(spare // _SORT_ROW_BYTES, _MAX_BUCKET_ROWS)
        self._by_user = by_user
        # Where no order by user gives the statistics.
        self._values = source.scale.table.astype(np.float64)
        self._users = None if by_user else UserTable(self._values)
        self._workspace = Workspace()
        self._writers = _Writers(source.scale)

    def build(self, raw: Path, entries: list[SourceEntry]) -> Manifest:
        """Write everything but the mark; return the manifest."""
        source, reader, layout = self._source, self._reader, self._layout
        by_item = by_user = None
        layout.ratings.mkdir()
        beside = ThreadPoolExecutor(1)  # the small files are read beside the ratings
        small_files = beside.submit(self._read_small_files)
        try:
            if self._by_user or not reader.item_sorted:  # a sample takes as long as many a unit
                item_sample, user_sample, n_rows = reader.sample()
                if not reader.item_sorted:
                    plan = plan_buckets(item_sample, n_rows, self._bucket_rows)
                    by_item = Spill(layout.root / "spill-by-item", plan)
                if self._by_user:
                    layout.ratings_by_user.mkdir()
                    plan = plan_buckets(user_sample, n_rows, self._bucket_rows)
                    by_user = Spill(layout.root / "spill-by-user", plan)
            item_parts, digests = self._parse(entries, by_item, by_user)
            user_parts: list[_Part] = []
            if by_item:
                item_parts = self._write_sorted(by_item, layout.ratings, item_is_primary=True)
            if by_user:
                user_parts = self._write_sorted(
                    by_user, layout.ratings_by_user, item_is_primary=False
                )
            small = small_files.result()
        finally:
            beside.shutdown(cancel_futures=True)
            for spill in (by_item, by_user):
                if spill:
                    spill.close()
        if not item_parts:
            raise DataError(f"{raw} holds no ratings", hint="fetch the files again")
        self._draft.digests.update((part.path, part.sha256) for part in item_parts + user_parts)
        digest = _total_digest(item_parts)
        if self._by_user and digest != _total_digest(user_parts):
            raise StoreError(
                "the two sort orders do not hold the same rows",
                hint="this is a fault of the disk or of bigrec; please report it",
            )
        items = GroupStats.concatenate([part.stats for part in item_parts])
        if self._users:
            users = self._users.stats()
        else:
            users = GroupStats.concatenate([part.stats for part in user_parts])
        write_user_table(layout.users, users)
        n_items = write_item_table(layout.items, small.titles, items)
        if self._rejects is not None:
            self._rejects.add(small.bad_lines)
        manifest = Manifest(
            source=source.name,
            item_name=source.item_name,
            source_files=tuple(
                replace(entry.described, rows_digest=f"{digests[n]:016x}")
                if n in digests
                else entry.described
                for n, entry in enumerate(entries)
            ),
            n_ratings=int(items.counts.sum(dtype=np.int64)),
            n_users=len(users.ids),
            n_items=n_items,
            n_probe=small.n_pairs.get("probe"),
            n_qualifying=small.n_pairs.get("qualifying"),
            rating_sum=float(items.sums.sum()),
            scale=source.scale,
            time_unit="day",
            first_date=str(np.datetime64(int(items.first_days.min()), "D")),
            last_date=str(np.datetime64(int(items.last_days.max()), "D")),
            rows_digest=f"{digest:016x}",
            bigrec_version=__version__,
            n_rejected=self._rejects.n_lines if self._rejects else 0,
        )
        manifest.write(layout.manifest)
        return manifest

    def _read_small_files(self) -> _SmallFiles:
        """Read the titles; write the tables of pairs."""
        bad_lines: list[BadLine] | None = None if self._rejects is None else []
        titles = self._source.titles(bad_lines)
        paths = {"probe": self._layout.probe, "qualifying": self._layout.qualifying}
        n_pairs: dict[str, int] = {}
        for name, runs in self._source.tables(bad_lines).items():
            if name not in paths:
                raise DataError(
                    f"the source {self._source.name} has a table {name!r}, for which a store has "
                    "no room",
                    hint=f"tables of pairs are {' and '.join(paths)}",
                )
            n_pairs[name] = write_pairs(paths[name], runs)
        return _SmallFiles(titles, n_pairs, bad_lines or [])

    def _parse(
        self, entries: list[SourceEntry], by_item: Spill | None, by_user: Spill | None
    ) -> tuple[list[_Part], dict[int, int]]:
        """Parse all units: the parts of an item-sorted source, and digests by entry."""
        entry_of = {file: n for n, entry in enumerate(entries) for file in entry.files}
        parts: list[_Part] = []
        digests: dict[int, int] = {}
        n_lines: dict[RawFile, int] = {}
        last_item = 0
        units = self._reader.units(self._unit_bytes)
        n_bytes = sum(entry.described.size for entry in entries)
        self._progress.start("parsing", n_bytes, "bytes")
        numbered = enumerate(units)
        for parsed in map_in_order(
            lambda item: self._parse_unit(*item, by_item, by_user), numbered, self._budget.threads
        ):
            if parsed.first_item and parsed.first_item <= last_item:
                raise _order_error(parsed.unit)
            last_item = parsed.last_item or last_item
            if parsed.part:
                parts.append(parsed.part)
                entry = entry_of[parsed.unit.files[0]]
                digests[entry] = (digests.get(entry, 0) + parsed.part.digest) & _DIGEST_MASK
            self._reject_lines(parsed, n_lines)
            self._progress.advance(parsed.unit.n_bytes, parsed.n_rows)
        return parts, digests

    def _parse_unit(
        self, number: int, unit: Unit, by_item: Spill | None, by_user: Spill | None
    ) -> _ParsedUnit:
        skip_bad = self._rejects is not None
        rows = self._reader.parse(unit, self._workspace, skip_bad=skip_bad)
        part = None
        if by_item:
            by_item.add(number, rows.item_id, rows.user_id, rows.payload, self._workspace)
        else:
            part = self._write_items(number, unit, rows)
        if by_user:
            by_user.add(number, rows.user_id, rows.item_id, rows.payload, self._workspace)
        return _ParsedUnit(
            unit, part, len(rows.payload), rows.first_item, rows.last_item, rows.n_lines,
            rows.bad_lines,
        )  # fmt: skip

    def _write_items(self, number: int, unit: Unit, rows: ParsedRows) -> _Part | None:
        if not len(rows.payload):
            return None
        stats, digest, repeated = self._summarise(
            rows.item_id, rows.user_id, rows.payload, item_is_primary=True
        )
        if repeated >= 0:
            pair = int(rows.item_id[repeated]), int(rows.user_id[repeated])
            raise self._repeated_error(unit, {pair})
        # Threads that would wait to count users write first.
        is_counted = not self._users or self._users.try_add(rows.user_id, rows.payload)
        path = self._layout.ratings / part_name(number)
        sha256 = self._writers.writer.write(path, rows.item_id, rows.user_id, rows.payload)
        if self._users and not is_counted:
            self._users.add(rows.user_id, rows.payload)
        return _Part(stats, digest, len(rows.payload), [], path, sha256)

    def _reject_lines(self, parsed: _ParsedUnit, n_lines: dict[RawFile, int]) -> None:
        if self._rejects is None:
            return
        first_lines = []
        for file, count in zip(parsed.unit.files, parsed.n_lines, strict=True):
            first = n_lines.get(file, self._reader.first_line)
            first_lines.append(first)
            n_lines[file] = first + count
        self._rejects.add(bad.numbered(first_lines[piece]) for piece, bad in parsed.bad_lines)

    def _write_sorted(self, spill: Spill, folder: Path, *, item_is_primary: bool) -> list[_Part]:
        """Sort and write every bucket as a part."""
        buckets = spill.buckets(2 * self._bucket_rows, self._workspace)
        task = "sorting by item" if item_is_primary else "sorting by user"
        self._progress.start(task, spill.n_rows, "ratings")

        def write(item: tuple[int, Bucket]) -> _Part:
            number, bucket = item
            return self._write_bucket(
                folder / part_name(number), bucket, item_is_primary=item_is_primary
            )

        parts = []
        for part in map_in_order(write, enumerate(buckets), self._budget.threads):
            parts.append(part)
            self._progress.advance(part.n_rows, part.n_rows)
        repeated = {pair for part in parts for pair in part.repeated}
        if item_is_primary and repeated and self._rejects is not None:
            self._rejects.add(bad.numbered() for bad in self._reader.repeated_lines(None, repeated))
        return parts

    def _write_bucket(self, path: Path, bucket: Bucket, *, item_is_primary: bool) -> _Part:
        records = sort_records(
            bucket.read(self._workspace),
            self._workspace,
            secondary_sorted=self._reader.item_sorted,
        )
        order = (0, 1) if item_is_primary else (1, 0)
        stats, digest, repeated = self._summarise(
            records[:, 0], records[:, 1], records[:, 2], item_is_primary=item_is_primary
        )
        pairs: list[tuple[int, int]] = []
        if repeated >= 0:
            again = np.flatnonzero(~np.diff(records[:, :2], axis=0).any(axis=1)) + 1
            pairs = [(int(row[order[0]]), int(row[order[1]])) for row in records[again]]
            if self._rejects is None:
                raise self._repeated_error(None, set(pairs))
            records = np.delete(records, again, axis=0)  # the first line counts
            stats, digest, _ = self._summarise(
                records[:, 0], records[:, 1], records[:, 2], item_is_primary=item_is_primary
            )
        item_id, user_id = records[:, order[0]], records[:, order[1]]
        sha256 = self._writers.writer.write(
            path, item_id, user_id, records[:, 2], by_user=not item_is_primary
        )
        if self._users:
            self._users.add(user_id, records[:, 2])
        return _Part(stats, digest, len(records), pairs, path, sha256)

    def _repeated_error(self, unit: Unit | None, pairs: set[tuple[int, int]]) -> DataError:
        """The error for the first of some pairs that stand on more than one line."""
        for bad in self._reader.repeated_lines(unit, pairs):
            return bad.error()
        return DataError(
            "a file changed while it was read", hint="ingest again when nothing writes it any more"
        )

    def _summarise(
        self, primary: Array, secondary: Array, payload: Array, *, item_is_primary: bool
    ) -> tuple[GroupStats, int, int]:
        """Statistics by primary id, digest, and the first row that repeats a pair or -1."""
        n = len(payload)
        kinds = (np.int32, np.int32, np.float64, np.int32, np.int32)
        columns = [self._workspace.array(f"stats {i}", n, kind) for i, kind in enumerate(kinds)]
        n_ids, repeated, digest = summarise_rows(
            primary, secondary, payload, self._values, item_is_primary, *columns
        )
        return (
            GroupStats(*(column[:n_ids].copy() for column in columns)),
            int(digest),
            int(repeated),
        )


def _total_digest(parts: list[_Part]) -> int:
    return sum(part.digest for part in parts) & _DIGEST_MASK


def _order_error(unit: Unit) -> DataError:
    assert isinstance(unit, RawUnit)  # noqa: S101 - only text comes sorted by item
    piece = unit.pieces[0]
    line, found = line_at(piece.file, piece.start)
    return BadLine(piece.file.label, line, found, EXPECTED[BAD_ORDER]).error()
