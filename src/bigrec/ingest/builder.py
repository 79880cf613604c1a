"""Building one store inside a folder that nobody else sees yet.

Units are parsed by a pool of threads. An item-sorted unit becomes a part of ratings/ at once; every
other sort order goes through the bucket sort. Both orders count the same digest of their rows, so
that a store is published only if they hold the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError, ResourceError, StoreError
from bigrec.ingest.batches import Unit, open_reader
from bigrec.ingest.match_items import match_items
from bigrec.ingest.numbering import ITEM, USER, Numbering, WaitingUnit
from bigrec.ingest.options import IngestOptions
from bigrec.ingest.parts import Part, PartWriter, RepeatedPair
from bigrec.ingest.rejects import Rejects
from bigrec.ingest.repeats import ADDING
from bigrec.ingest.small_files import SmallFiles, read_small_files
from bigrec.ingest.sorting import Bucket, BucketPlan, Spill, plan_buckets, plan_numbered_buckets
from bigrec.ingest.tables import write_item_table, write_user_table
from bigrec.ingest.totals import Totals, digest_text
from bigrec.ingest.unchanged import SourceEntry
from bigrec.ingest.users import UserTable
from bigrec.interactions import MAX_VALUES, Scale
from bigrec.resources import Budget, Progress, format_bytes, map_in_order
from bigrec.schema import BY_SECOND, NO_TIME
from bigrec.sources.contract import Source
from bigrec.sources.fields import BAD_ORDER, EXPECTED
from bigrec.sources.parsed import BadLine, KeyedRows, ParsedRows
from bigrec.sources.raw import RawFile
from bigrec.sources.units import RawUnit, line_at
from bigrec.store.layout import StoreLayout, part_name
from bigrec.store.manifest import Manifest
from bigrec.store.publish import Draft
from bigrec.version import __version__
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_BASE_BYTES = 320 << 20  # the interpreter with its libraries and compiled code; 240 to 320 seen
MIN_MEMORY_BYTES: Final = _BASE_BYTES + (128 << 20)
_UNIT_COPIES = 6  # memory that a unit in work or waiting takes, as a multiple of its text
_MAX_UNIT_BYTES = 32 << 20
_SORT_ROW_BYTES = 60  # memory that a row of a bucket in work takes
_MAX_BUCKET_ROWS = 1 << 20
_ARROW_BYTES = 64 << 20  # what Arrow keeps for itself, once it has read a table
_KEYS_SHARE = 0.5  # of the rest, for the tables of keys while units are parsed


@dataclass(frozen=True)
class _ParsedUnit:
    unit: Unit
    part: Part | None  # of an item-sorted unit with rows
    n_rows: int
    first_item: int
    last_item: int
    n_lines: tuple[int, ...]
    bad_lines: list[tuple[int, BadLine]]


class StoreBuilder:
    """Builds one store.

    Args:
        source: the raw data.
        draft: the store to be, empty.
        options: of the ingest.
        keyed: the roles whose ids are numbered.
        rejects: where bad lines go, or None to stop at the first.
        budget: memory and threads.
        progress: told of finished work.
    """

    def __init__(
        self,
        source: Source,
        draft: Draft,
        *,
        options: IngestOptions,
        keyed: frozenset[str],
        rejects: Rejects | None,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self._source = source
        self._reader = open_reader(source, keyed, skips=rejects is not None)
        self._draft = draft
        self._layout = StoreLayout(draft.folder)
        self._options = options
        self._keyed = keyed
        self._rejects = rejects
        self._budget = budget
        self._progress = progress
        if budget.memory_bytes < MIN_MEMORY_BYTES:
            raise ResourceError(
                f"ingest cannot stay within {format_bytes(budget.memory_bytes)}",
                hint=f"give at least --memory {MIN_MEMORY_BYTES >> 20}MiB",
            )
        spare = budget.memory_bytes - _BASE_BYTES
        to_sort = spare - _ARROW_BYTES if keyed else spare
        a_thread = to_sort // (budget.threads + 1)
        self._bucket_rows = min(a_thread // _SORT_ROW_BYTES, _MAX_BUCKET_ROWS)
        keys_bytes = int(to_sort * _KEYS_SHARE) if keyed else 0
        a_thread = (spare - keys_bytes) // (budget.threads + 1)
        self._unit_bytes = min(a_thread // _UNIT_COPIES, _MAX_UNIT_BYTES)
        self._numbering = Numbering(draft.folder, keyed, source.scale, keys_bytes)
        self._workspace = Workspace()
        self._users: UserTable | None = None
        self._writer: PartWriter | None = None

    def build(self, raw: Path, entries: list[SourceEntry]) -> Manifest:
        """Write everything but the mark; return the manifest.

        Raises:
            OtherKeys: ids that were to be kept are to be numbered.
            DataError: the raw files are malformed.
        """
        layout = self._layout
        layout.ratings.mkdir()
        with ExitStack() as stack:
            stack.callback(self._numbering.close)
            beside = ThreadPoolExecutor(1)  # the small files are read beside the ratings
            stack.callback(beside.shutdown, cancel_futures=True)
            small_files = beside.submit(
                read_small_files, self._source, layout, keeps_bad=self._rejects is not None
            )
            by_item, by_user = self._open_spills(stack)
            if self._source.scale is not None:
                self._open_writer(self._source.scale, None)
            parts, digests = self._parse(entries, by_item, by_user)
            self._numbering.release()
            if self._writer is None:
                assert by_item is not None  # noqa: S101 - item-sorted sources know their scale
                self._open_writer(*self._find_scale(by_item))
            small = small_files.result()
            manifest = self._write_tables(parts, by_item, by_user, small)
        if not manifest.n_ratings:
            raise DataError(f"{raw} holds no ratings", hint="fetch the files again")
        manifest = replace(
            manifest,
            source_files=tuple(
                replace(entry.described, rows_digest=digest_text(digests[n]))
                if n in digests
                else entry.described
                for n, entry in enumerate(entries)
            ),
        )
        manifest.write(layout.manifest)
        return manifest

    def _open_spills(self, stack: ExitStack) -> tuple[Spill | None, Spill | None]:
        """The spills by item and by user, where they are needed."""
        reader, layout = self._reader, self._layout
        by_item = by_user = None
        if not self._options.by_user and reader.item_sorted:
            return None, None  # a sample takes as long as many a unit
        item_sample, user_sample, n_rows = reader.sample()
        with_seconds = self._source.time_unit == BY_SECOND

        def open_spill(name: str, role: str, sample: Array) -> Spill:
            plan: BucketPlan = (
                plan_numbered_buckets()
                if role in self._keyed
                else plan_buckets(sample, n_rows, self._bucket_rows)
            )
            spill = Spill(layout.root / name, plan, with_seconds=with_seconds)
            stack.callback(spill.close)
            return spill

        if not reader.item_sorted:
            by_item = open_spill("spill-by-item", ITEM, item_sample)
        if self._options.by_user:
            layout.ratings_by_user.mkdir()
            by_user = open_spill("spill-by-user", USER, user_sample)
        return by_item, by_user

    def _open_writer(self, scale: Scale, code_map: Array | None) -> None:
        """Get ready to write parts, once the ratings are known."""
        self._scale = scale
        if not self._options.by_user:  # where no order by user gives the statistics
            self._users = UserTable(scale.table.astype(np.float64))
        self._writer = PartWriter(
            scale,
            self._source.time_unit,
            values=self._numbering.values.values if code_map is not None else scale.table,
            code_map=code_map,
            repeats=self._options.repeats,
            skips=self._rejects is not None,
            users=self._users,
            workspace=self._workspace,
        )

    def _find_scale(self, by_item: Spill) -> tuple[Scale, Array]:
        """The ratings that came, and what their codes become."""
        ends = self._source.ends or (None, None)
        values = self._numbering.values
        if self._options.repeats not in ADDING:
            return values.scale(*ends)
        self._open_writer(*values.scale())
        assert self._writer is not None  # noqa: S101 - it has been opened
        merged = np.empty(0, np.float32)
        self._progress.start("merging repeats", by_item.n_rows, "ratings")
        buckets = list(by_item.buckets(2 * self._bucket_rows, self._workspace))
        for bucket, some in zip(
            buckets,
            map_in_order(self._writer.merged_values, buckets, self._budget.threads),
            strict=True,
        ):
            merged = np.union1d(merged, some)
            self._progress.advance(bucket.n_rows, bucket.n_rows)
            if len(merged) > MAX_VALUES:
                raise DataError(
                    f"--repeats {self._options.repeats} makes more than {MAX_VALUES:,} distinct "
                    "ratings",
                    hint="take one of the rows with --repeats last, or --repeats count",
                )
        ends_table = np.array([end for end in ends if end is not None], np.float32)
        merged = np.union1d(merged, ends_table)
        return Scale(tuple(map(float, merged))), np.zeros(len(values.values), np.int32)

    def _write_tables(
        self, parts: list[Part], by_item: Spill | None, by_user: Spill | None, small: SmallFiles
    ) -> Manifest:
        """Sort what is to be sorted; write users and items on the way."""
        source, layout, reader = self._source, self._layout, self._reader
        titles = small.titles
        if small.items is not None:
            titles = match_items(small.items, self._numbering, keyed=ITEM in self._keyed)
        keys = self._numbering.key_readers()
        has_times = source.time_unit != NO_TIME
        items, users = Totals(), Totals()
        stream = iter(parts)
        if by_item:
            stream = self._write_sorted(by_item, layout.ratings, item_is_primary=True)
        n_items = write_item_table(layout.items, items.add(stream), keys.get(ITEM), titles)
        if by_item and items.repeated and self._rejects is not None:
            pairs = self._numbering.key_pairs(items.repeated)
            self._rejects.add(bad.numbered() for bad in reader.repeated_lines(None, pairs))
        if by_user:
            stream = self._write_sorted(by_user, layout.ratings_by_user, item_is_primary=False)
            groups = users.add(stream)
        else:
            groups = iter([self._users.stats()] if self._users else [])
        n_users = write_user_table(layout.users, groups, keys.get(USER), with_dates=has_times)
        self._draft.digests.update({**items.files, **users.files})
        if by_user and digest_text(items.digest) != digest_text(users.digest):
            raise StoreError(
                "the two sort orders do not hold the same rows",
                hint="this is a fault of the disk or of bigrec; please report it",
            )
        if self._rejects is not None:
            self._rejects.add(sorted(reader.bad_lines, key=lambda bad: (bad.path, bad.line)))
            self._rejects.add(small.bad_lines)
        return Manifest(
            source=source.name,
            item_name=source.item_name,
            source_files=(),
            n_ratings=items.n_rows,
            n_users=n_users,
            n_items=n_items,
            n_probe=small.n_pairs.get("probe"),
            n_qualifying=small.n_pairs.get("qualifying"),
            rating_sum=items.rating_sum,
            scale=self._scale,
            feedback=source.feedback,
            time_unit=source.time_unit,
            first_date=items.first_date if has_times else None,
            last_date=items.last_date if has_times else None,
            user_keys=USER in self._keyed,
            item_keys=ITEM in self._keyed,
            said=self._options.said,
            repeats=self._options.repeats,
            n_merged=items.n_merged,
            rows_digest=digest_text(items.digest),
            bigrec_version=__version__,
            n_rejected=self._rejects.n_lines if self._rejects else 0,
        )

    def _parse(
        self, entries: list[SourceEntry], by_item: Spill | None, by_user: Spill | None
    ) -> tuple[list[Part], dict[int, int]]:
        """Parse all units: the parts of an item-sorted source, and digests by entry."""
        entry_of = {file: n for n, entry in enumerate(entries) for file in entry.files}
        parts: list[Part] = []
        digests: dict[int, int] = {}
        n_lines: dict[RawFile, int] = {}
        last_item = 0
        units = self._numbering.rounds(self._reader.units(self._unit_bytes))
        n_bytes = sum(entry.described.size for entry in entries)
        self._progress.start("parsing", n_bytes, "bytes")
        parse = partial(self._parse_unit, by_item=by_item, by_user=by_user)
        for parsed in map_in_order(parse, enumerate(units), self._budget.threads):
            if parsed.first_item and parsed.first_item <= last_item:
                raise _order_error(parsed.unit)
            last_item = parsed.last_item or last_item
            if parsed.part:
                parts.append(parsed.part)
                entry = entry_of[parsed.unit.files[0]]
                digests[entry] = digests.get(entry, 0) + parsed.part.digest
            self._reject_lines(parsed, n_lines)
            self._progress.advance(parsed.unit.n_bytes, parsed.n_rows)
        return parts, digests

    def _parse_unit(
        self, item: tuple[int, Unit], *, by_item: Spill | None, by_user: Spill | None
    ) -> _ParsedUnit:
        number, unit = item
        try:
            rows = self._read_unit(number, unit)
            part = None
            columns = rows.payload, rows.second, self._workspace
            if by_item:
                by_item.add(number, rows.item_id, rows.user_id, *columns)
            elif len(rows.payload):
                part = self._write_items(number, unit, rows)
            if by_user:
                by_user.add(number, rows.user_id, rows.item_id, *columns)
        except BaseException:
            self._numbering.turns.break_off(number)
            raise
        return _ParsedUnit(
            unit, part, len(rows.payload), rows.first_item, rows.last_item, rows.n_lines,
            rows.bad_lines,
        )  # fmt: skip

    def _read_unit(self, number: int, unit: Unit) -> ParsedRows:
        if isinstance(unit, WaitingUnit):
            return self._numbering.number_waiting(number, unit, self._workspace)
        skip_bad = self._rejects is not None
        rows = self._reader.parse(unit, self._workspace, skip_bad=skip_bad)
        if isinstance(rows, KeyedRows):
            rows = self._numbering.number(number, rows, self._workspace)
        return rows

    def _write_items(self, number: int, unit: Unit, rows: ParsedRows) -> Part:
        assert self._writer is not None  # noqa: S101 - item-sorted sources know their scale
        try:
            return self._writer.write_items(self._layout.ratings / part_name(number), rows)
        except RepeatedPair as again:
            raise self._repeated_error(unit, again.pairs) from None

    def _reject_lines(self, parsed: _ParsedUnit, n_lines: dict[RawFile, int]) -> None:
        if self._rejects is None:
            return
        first_lines = []
        for file, count in zip(parsed.unit.files, parsed.n_lines, strict=True):
            first = n_lines.get(file, self._reader.first_line)
            first_lines.append(first)
            n_lines[file] = first + count
        self._rejects.add(bad.numbered(first_lines[piece]) for piece, bad in parsed.bad_lines)

    def _write_sorted(self, spill: Spill, folder: Path, *, item_is_primary: bool) -> Iterator[Part]:
        """Sort and write every bucket as a part."""
        buckets = spill.buckets(2 * self._bucket_rows, self._workspace)
        task = "sorting by item" if item_is_primary else "sorting by user"
        self._progress.start(task, spill.n_rows, "ratings")

        def write(item: tuple[int, Bucket]) -> Part:
            assert self._writer is not None  # noqa: S101 - all units have been parsed
            number, bucket = item
            return self._writer.write_bucket(
                folder / part_name(number),
                bucket,
                item_is_primary=item_is_primary,
                secondary_sorted=self._reader.item_sorted,
            )

        try:
            for part in map_in_order(write, enumerate(buckets), self._budget.threads):
                yield part
                n_read = part.n_rows + part.n_merged + len(part.repeated)
                self._progress.advance(n_read, n_read)
        except RepeatedPair as again:
            raise self._repeated_error(None, again.pairs) from None

    def _repeated_error(self, unit: Unit | None, pairs: set[tuple[int, int]]) -> DataError:
        """The error for the first of some pairs that stand on more than one line."""
        for bad in self._reader.repeated_lines(unit, self._numbering.key_pairs(pairs)):
            return bad.error()
        return DataError(
            "a file changed while it was read", hint="ingest again when nothing writes it any more"
        )


def _order_error(unit: Unit) -> DataError:
    assert isinstance(unit, RawUnit)  # noqa: S101 - only text comes sorted by item
    piece = unit.pieces[0]
    line, found = line_at(piece.file, piece.start)
    return BadLine(piece.file.label, line, found, EXPECTED[BAD_ORDER]).error()
