"""Reading a source that yields Arrow record batches: every row is checked here, as a parser would.

The batches become units of work for the same builder that reads text, so that rows in any order are
sorted, repeated pairs are found, and what is wrong is named by the number of its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.compiled import compiled
from bigrec.errors import DataError
from bigrec.ingest.numbering import OtherKeys
from bigrec.schema import (
    BY_SECOND,
    DATE,
    EPOCH_DAY,
    FIRST_DATE,
    ITEM_ID,
    LAST_DATE,
    MAX_ID,
    NO_TIME,
    RATING,
    USER_ID,
)
from bigrec.sources.contract import BatchSource, Source, TextSource
from bigrec.sources.keys import KEY_PADDING, MAX_KEY_BYTES, Keys, keys_of
from bigrec.sources.parsed import BadLine, KeyedRows, ParsedRows, require_few_bad_lines
from bigrec.sources.raw import DISK_FAILURES, RawFile, reading
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_FAILURES: Final = (*DISK_FAILURES, pa.ArrowException)
_ROW_BYTES = 64  # of a row as it is checked, with its keys
_GUESSED_ROW_BYTES = 8  # of a row in a file that does not say how many it has
_SAMPLE_ROWS = 1 << 16
_RELEASE_ROWS = 1 << 20
_SHOWN_VALUES = 12
_TICKS_A_SECOND: Final = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_A_DAY = 86_400
_LAST_DAY: Final = (LAST_DATE - FIRST_DATE).days
_EXPECTED_ID: Final = f"an id of 1 to {MAX_KEY_BYTES} bytes"
_EXPECTED_DATE: Final = f"a day from {FIRST_DATE} to {LAST_DATE}"


class Unit(Protocol):
    """Work for one thread."""

    @property
    def n_bytes(self) -> int:
        """How much of the files it is."""

    @property
    def files(self) -> tuple[RawFile, ...]:
        """The file of each of its pieces, whose lines are numbered one behind the other."""


class Reader(Protocol):
    """What reads the ratings of a source; a TextSource does so itself. See there."""

    @property
    def item_sorted(self) -> bool:
        """Whether units hold whole items in ascending order, each sorted by user."""

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings in a file."""

    @property
    def bad_lines(self) -> Sequence[BadLine]:
        """What was left out and is not among the bad lines of a unit, numbered."""

    def units(self, unit_bytes: int) -> Iterator[Any]:
        """The ratings, cut into units."""

    def parse(self, unit: Any, workspace: Workspace, *, skip_bad: bool) -> ParsedRows | KeyedRows:
        """The rows of one unit."""

    def repeated_lines(self, unit: Any, pairs: set[tuple[Any, Any]]) -> Iterator[BadLine]:
        """The lines on which users rate items again, for (item, user) pairs."""

    def sample(self) -> tuple[Array, Array, int]:
        """Some item ids and user ids (int32), and an estimate of rows."""


def open_reader(source: Source, keyed: frozenset[str], *, skips: bool) -> Reader:
    """What reads the ratings of a source.

    Args:
        source: whose they are.
        keyed: the roles whose ids are numbered.
        skips: whether rows that cannot be stored are left out.
    """
    if isinstance(source, TextSource):
        return source
    assert isinstance(source, BatchSource)  # noqa: S101 - `registry` takes no other
    return BatchReader(source, keyed, skips=skips)


@dataclass(frozen=True)
class BatchUnit:
    """Some rows of a batch."""

    rows: pa.RecordBatch
    """The columns that are read."""
    first: int
    """Rows before these."""
    n_bytes: int
    """About how much of the files they are."""
    files: tuple[RawFile]
    """What is named where a row is wrong."""


class BatchReader:
    """Reads a BatchSource.

    Args:
        source: the source.
        keyed: the roles whose ids are numbered; integers of others are kept as they are.
        skips: whether rows that cannot be stored are left out.
    """

    item_sorted = False
    first_line = 1

    def __init__(self, source: BatchSource, keyed: frozenset[str], *, skips: bool) -> None:
        self.bad_lines: list[BadLine] = []
        self._source = source
        self._keyed = keyed
        self._skips = skips
        groups = source.files()
        self._file = groups[0][0] if len(groups[0]) == 1 else RawFile(source.folder.root)
        self._n_bytes = sum(file.size for group in groups for file in group)
        self._n_rows = source.n_rows or max(1, self._n_bytes // _GUESSED_ROW_BYTES)
        self._names = [USER_ID, ITEM_ID, RATING, DATE]
        if source.time_unit == NO_TIME:
            self._names.remove(DATE)
        values = source.scale.values if source.scale else ()
        self._expected_rating = "a finite number as rating"
        if ends := source.ends:
            self._expected_rating = f"a rating from {ends[0]:g} to {ends[1]:g}"
        if values:
            self._expected_rating = (
                f"a rating that is one of {', '.join(f'{value:g}' for value in values)}"
                if len(values) <= _SHOWN_VALUES
                else f"one of the {len(values):,} ratings from {values[0]:g} to {values[-1]:g}"
            )

    def units(self, unit_bytes: int) -> Iterator[BatchUnit]:
        """The batches, cut where they are large.

        Raises:
            DataError: they cannot be read, or lack a column.
        """
        return self._units(unit_bytes, self.bad_lines if self._skips else None)

    def _units(self, unit_bytes: int, bad_lines: list[BadLine] | None) -> Iterator[BatchUnit]:
        most = max(1, unit_bytes // _ROW_BYTES)
        first = n_since = 0
        source = self._source
        batches = source.batches() if bad_lines is None else source.batches_but(bad_lines)
        with reading(self._file, _FAILURES):
            for batch in batches:
                rows = self._select(batch)
                for start in range(0, len(rows), most):
                    part = rows.slice(start, most)
                    n_bytes = self._n_bytes * len(part) // self._n_rows
                    yield BatchUnit(part, first + start, n_bytes, (self._file,))
                first += len(rows)
                n_since += len(rows)
                if n_since >= _RELEASE_ROWS:
                    _release_unused()
                    n_since = 0
        _release_unused()

    def parse(self, unit: BatchUnit, workspace: Workspace, *, skip_bad: bool) -> KeyedRows:
        """Check the rows of a unit; they stay in their order.

        Raises:
            RawFormatError: a row cannot be stored, and such rows are not to be skipped.
        """
        rows, faults = self._check(unit.rows, workspace)
        wrong = np.logical_or.reduce([mask for mask, _ in faults])
        if wrong.any():
            positions = np.flatnonzero(wrong)
            require_few_bad_lines(self._file.label, len(positions))
            for row in positions.tolist():
                expected = next(expected for mask, expected in faults if mask[row])
                bad = self._bad_row(unit, row, expected)
                if not skip_bad:
                    raise bad.error()
                self.bad_lines.append(bad)
            rows = rows.take(~wrong)
        return replace(rows, n_lines=(len(unit.rows),))

    def repeated_lines(
        self,
        unit: BatchUnit | None,  # noqa: ARG002
        pairs: set[tuple[Any, Any]],
    ) -> Iterator[BadLine]:
        """The rows on which users rate items again, for (item, user) pairs, in all batches."""
        wanted = {(str(item), str(user)): (item, user) for item, user in pairs}
        items, users = (pa.array({pair[side] for pair in wanted}) for side in (0, 1))
        counts: dict[tuple[str, str], int] = {}
        workspace = Workspace()
        for part in self._units(_SAMPLE_ROWS * _ROW_BYTES, [] if self._skips else None):
            _, faults = self._check(part.rows, workspace)
            wrong = np.logical_or.reduce([mask for mask, _ in faults])  # left out for themselves
            item, user = (part.rows.column(name).cast(pa.string()) for name in (ITEM_ID, USER_ID))
            found = pc.and_(pc.is_in(item, items), pc.is_in(user, users))
            for row in np.flatnonzero(np.asarray(found) & ~wrong).tolist():
                pair = item[row].as_py(), user[row].as_py()
                path, word, number = self._source.locate(part.first + row)
                if pair in counts:
                    shown = _shown(part.rows, row)
                    yield BadLine.repeated(
                        path, number, shown, wanted[pair], counts[pair], word=word
                    )
                elif pair in wanted:
                    counts[pair] = number

    def sample(self) -> tuple[Array, Array, int]:
        """Ids of the first rows; where others are unlike them, buckets are split later."""
        samples: dict[str, list[Array]] = {ITEM_ID: [], USER_ID: []}
        n_sampled = 0
        for unit in self._units(_SAMPLE_ROWS * _ROW_BYTES, [] if self._skips else None):
            for name, parts in samples.items():
                if pa.types.is_integer(unit.rows.schema.field(name).type):
                    parts.append(np.clip(_numbers(unit.rows.column(name)), 1, MAX_ID))
            n_sampled += len(unit.rows)
            if n_sampled >= _SAMPLE_ROWS:
                break
        one = np.ones(1, np.int32)
        items, users = (
            np.concatenate([one, *parts]).astype(np.int32) for parts in samples.values()
        )
        return items, users, self._n_rows

    def _select(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The columns that are read, once their types are such as can be checked."""
        names = [name for name in self._names if name != RATING or RATING in batch.schema.names]
        for name in names:
            if name not in batch.schema.names:
                raise self._fault(f"yields no column {name}, but {', '.join(batch.schema.names)}")
            kind = batch.schema.field(name).type
            if not _KINDS[name][0](kind):
                raise self._fault(f"yields {name} as {kind}, expected {_KINDS[name][1]}")
        return batch.select(names)

    def _fault(self, what: str) -> DataError:
        return DataError(
            f"{self._file.label}: the source {self._source.name} {what}",
            hint="see docs/adding-a-source.md",
        )

    def _check(
        self, rows: pa.RecordBatch, workspace: Workspace
    ) -> tuple[KeyedRows, list[tuple[Array, str]]]:
        """Convert rows; say which cannot be stored.

        Returns:
            The rows, and (n,) bool with what is expected where it is set, once for each column.
        """
        user, bad_user = self._ids(rows.column(USER_ID), "user", workspace)
        item, bad_item = self._ids(rows.column(ITEM_ID), "item", workspace)
        faults = [
            (bad_user, f"{_EXPECTED_ID} as {USER_ID}"),
            (bad_item, f"{_EXPECTED_ID} as {ITEM_ID}"),
        ]
        rating = day = second = None
        if RATING in rows.schema.names:
            column = rows.column(RATING)
            rating = _numbers(column.cast(pa.float32(), safe=False)).astype(np.float32)
            bad_rating = ~np.isfinite(rating) | _nulls(column)
            if scale := self._source.scale:
                bad_rating |= scale.codes(rating) == len(scale.values)
            elif ends := self._source.ends:
                bad_rating |= (rating < ends[0]) | (rating > ends[1])
            faults.append((bad_rating, self._expected_rating))
        if DATE in rows.schema.names:
            column = rows.column(DATE)
            bad_time = _nulls(column)
            day = workspace.array("read day", len(rows), np.int32)
            second = workspace.array("read second", len(rows), np.int32)
            split_seconds(_seconds(column), day, second, bad_time)
            faults.append((bad_time, _EXPECTED_DATE))
            if self._source.time_unit != BY_SECOND:
                second = None
        return KeyedRows(item, user, rating, day, second), faults

    def _ids(self, column: pa.Array, role: str, workspace: Workspace) -> tuple[Keys | Array, Array]:
        """The ids of a column, and which of them are none, (n,) bool."""
        wrong = _nulls(column)
        if pa.types.is_integer(column.type) and role not in self._keyed:
            values = _numbers(column)
            if (((values < 1) | (values > MAX_ID)) & ~wrong).any():
                raise OtherKeys(role)
            return values.astype(np.int32), wrong
        keys = keys_of(column, workspace, role)
        wrong = wrong | (keys.lengths < 1) | (keys.lengths > MAX_KEY_BYTES)
        if not keys.text[: len(keys.text) - KEY_PADDING].all():
            wrong = wrong | np.fromiter(
                (b"\0" in keys.bytes_at(row) for row in range(len(wrong))), bool, len(wrong)
            )
        return keys, wrong

    def _bad_row(self, unit: BatchUnit, row: int, expected: str) -> BadLine:
        """A row that cannot be stored."""
        path, word, number = self._source.locate(unit.first + row)
        return BadLine(path, number, _shown(unit.rows, row), expected, word=word)


def _release_unused() -> None:
    """Give memory back that Arrow keeps for batches to come."""
    pa.default_memory_pool().release_unused()


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _is_id(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    return any(test(kind) for test in tests)


_KINDS: Final[dict[str, tuple[Any, str]]] = {
    USER_ID: (_is_id, "integers or texts"),
    ITEM_ID: (_is_id, "integers or texts"),
    RATING: (_is_number, "numbers"),
    DATE: (_is_time, "dates or timestamps"),
}


def _nulls(column: pa.Array) -> Array:
    """(n,) bool."""
    if not column.null_count:
        return np.zeros(len(column), bool)
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False))


def _numbers(column: pa.Array) -> Array:
    """The values of a column as an array of its own type, with 0 for nulls."""
    filled = pc.fill_null(column, 0) if column.null_count else column
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _seconds(column: pa.Array) -> Array:
    """Seconds since 1970-01-01 in UTC, (n,) int64, of dates or timestamps."""
    kind = column.type
    if pa.types.is_date32(kind):
        return _numbers(column.view(pa.int32())).astype(np.int64) * _SECONDS_A_DAY
    unit = "ms" if pa.types.is_date64(kind) else kind.unit
    return _numbers(column.view(pa.int64())) // _TICKS_A_SECOND[unit]


def _shown(rows: pa.RecordBatch, row: int) -> str:
    """A row as it is shown to people."""
    fields = []
    for name in rows.schema.names:
        column = rows.column(name).slice(row, 1)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp(column.type.unit))  # as UTC, which needs no zones
        fields.append(f"{name}={column.cast(pa.string())[0].as_py()}")
    return ", ".join(fields)


@compiled
def split_seconds(seconds, day, second, wrong):  # type: ignore[no-untyped-def]
    """Cut times into days and seconds of the day.

    Args:
        seconds: (n,) int64 since 1970-01-01.
        day: (n,) int32 out, days as payloads count them; the nearest one that there is.
        second: (n,) int32 out, 0 to 86,399.
        wrong: (n,) bool, set where there is no such day.
    """
    for row in range(len(seconds)):
        days = seconds[row] // _SECONDS_A_DAY
        second[row] = seconds[row] - days * _SECONDS_A_DAY
        days += EPOCH_DAY
        if days < 0 or days > _LAST_DAY:
            wrong[row] = True
        day[row] = min(max(days, 0), _LAST_DAY)
