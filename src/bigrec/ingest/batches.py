"""Reading a source that yields Arrow record batches: every row is checked here, as a parser would.

The batches become units of work for the same builder that reads text, so that rows in any order are
sorted, repeated pairs are found, and what is wrong is named by the number of its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.errors import DataError
from bigrec.interactions import CODE_BITS
from bigrec.schema import (
    DATE,
    FIRST_DATE,
    ITEM_ID,
    LAST_DATE,
    MAX_ID,
    RATING,
    RATING_COLUMNS,
    USER_ID,
)
from bigrec.sources.contract import BatchSource, Source, TextSource
from bigrec.sources.parsed import BadLine, ParsedRows, require_few_bad_lines
from bigrec.sources.raw import DISK_FAILURES, RawFile, reading
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_FAILURES: Final = (*DISK_FAILURES, pa.ArrowException)
_ROW_BYTES = 32  # of a row as it is checked
_GUESSED_ROW_BYTES = 8  # of a row in a file that does not say how many it has
_SAMPLE_ROWS = 1 << 16
_SHOWN_VALUES = 12
_TICKS_A_DAY: Final = {
    "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000
}  # fmt: skip
_LAST_DAY: Final = (LAST_DATE - FIRST_DATE).days
_EXPECTED_ID: Final = f"an id from 1 to {MAX_ID}"
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

    def units(self, unit_bytes: int) -> Iterator[Any]:
        """The ratings, cut into units."""

    def parse(self, unit: Any, workspace: Workspace, *, skip_bad: bool) -> ParsedRows:
        """The rows of one unit."""

    def repeated_lines(self, unit: Any, pairs: set[tuple[int, int]]) -> Iterator[BadLine]:
        """The lines on which users rate items again, for (item, user) pairs."""

    def sample(self) -> tuple[Array, Array, int]:
        """Some item ids and user ids (int32), and an estimate of rows."""


def open_reader(source: Source) -> Reader:
    """What reads the ratings of a source."""
    if isinstance(source, TextSource):
        return source
    assert isinstance(source, BatchSource)  # noqa: S101 - `registry` takes no other
    return BatchReader(source)


@dataclass(frozen=True)
class BatchUnit:
    """Some rows of a batch."""

    rows: pa.RecordBatch
    """The four columns, in the order of RATING_COLUMNS."""
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
    """

    item_sorted = False
    first_line = 1

    def __init__(self, source: BatchSource) -> None:
        self._source = source
        groups = source.files()
        self._file = groups[0][0] if len(groups[0]) == 1 else RawFile(source.folder.root)
        self._n_bytes = sum(file.size for group in groups for file in group)
        self._n_rows = source.n_rows or max(1, self._n_bytes // _GUESSED_ROW_BYTES)
        values = source.scale.values
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
        most = max(1, unit_bytes // _ROW_BYTES)
        first = 0
        with reading(self._file, _FAILURES):
            for batch in self._source.batches():
                rows = self._select(batch)
                for start in range(0, len(rows), most):
                    part = rows.slice(start, most)
                    n_bytes = self._n_bytes * len(part) // self._n_rows
                    yield BatchUnit(part, first + start, n_bytes, (self._file,))
                first += len(rows)

    def parse(self, unit: BatchUnit, workspace: Workspace, *, skip_bad: bool) -> ParsedRows:  # noqa: ARG002
        """Check the rows of a unit; they stay in their order.

        Raises:
            RawFormatError: a row cannot be stored, and such rows are not to be skipped.
        """
        item_id, user_id, payload, faults = self._check(unit.rows)
        bad_lines: list[tuple[int, BadLine]] = []
        wrong = np.logical_or.reduce([mask for mask, _ in faults])
        if wrong.any():
            positions = np.flatnonzero(wrong)
            require_few_bad_lines(self._file.label, len(positions))
            for row in positions.tolist():
                expected = next(expected for mask, expected in faults if mask[row])
                if not skip_bad:
                    raise self._bad_row(unit, row, expected).numbered(1 + unit.first).error()
                bad_lines.append((0, self._bad_row(unit, row, expected)))
            kept = ~wrong
            item_id, user_id, payload = item_id[kept], user_id[kept], payload[kept]
        return ParsedRows(item_id, user_id, payload, n_lines=(len(unit.rows),), bad_lines=bad_lines)

    def repeated_lines(
        self,
        unit: BatchUnit | None,  # noqa: ARG002
        pairs: set[tuple[int, int]],
    ) -> Iterator[BadLine]:
        """The rows on which users rate items again, for (item, user) pairs, in all batches."""
        wanted = np.array([item << 32 | user for item, user in pairs], np.int64)
        counts: dict[tuple[int, int], int] = {}
        for part in self.units(_SAMPLE_ROWS * _ROW_BYTES):
            item_id, user_id, _, faults = self._check(part.rows)
            wrong = np.logical_or.reduce([mask for mask, _ in faults])  # left out for themselves
            found = np.isin(item_id.astype(np.int64) << 32 | user_id, wanted) & ~wrong
            for row in np.flatnonzero(found).tolist():
                pair = int(item_id[row]), int(user_id[row])
                number = 1 + part.first + row
                if pair in counts:
                    path, shown = self._file.label, _shown(part.rows, row)
                    yield BadLine.repeated(path, number, shown, pair, counts[pair], word="row")
                else:
                    counts[pair] = number

    def sample(self) -> tuple[Array, Array, int]:
        """Ids of the first rows; where others are unlike them, buckets are split later."""
        items, users = [np.ones(1, np.int32)], [np.ones(1, np.int32)]
        n_sampled = 0
        for unit in self.units(_SAMPLE_ROWS * _ROW_BYTES):
            item_id, user_id, _, _ = self._check(unit.rows)
            items.append(np.maximum(item_id, 1))
            users.append(np.maximum(user_id, 1))
            n_sampled += len(unit.rows)
            if n_sampled >= _SAMPLE_ROWS:
                break
        return np.concatenate(items), np.concatenate(users), self._n_rows

    def _select(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The four columns of a batch, once their types are such as can be checked."""
        for name in RATING_COLUMNS:
            if name not in batch.schema.names:
                raise self._fault(f"yields no column {name}, but {', '.join(batch.schema.names)}")
            kind = batch.schema.field(name).type
            if not _KINDS[name][0](kind):
                raise self._fault(f"yields {name} as {kind}, expected {_KINDS[name][1]}")
        return batch.select(list(RATING_COLUMNS))

    def _fault(self, what: str) -> DataError:
        return DataError(
            f"{self._file.label}: the source {self._source.name} {what}",
            hint="see docs/adding-a-source.md",
        )

    def _check(self, rows: pa.RecordBatch) -> tuple[Array, Array, Array, list[tuple[Array, str]]]:
        """Convert rows; say which cannot be stored.

        Returns:
            item ids, user ids and payloads, each (n,) int32, and (n,) bool with what is expected
            where it is set, once for each column. What cannot be stored is 0.
        """
        item_id, bad_item = _ids(rows.column(ITEM_ID))
        user_id, bad_user = _ids(rows.column(USER_ID))
        column = rows.column(RATING)
        scale = self._source.scale
        code = scale.codes(_numbers(column.cast(pa.float32(), safe=False)))
        bad_rating = (code == len(scale.values)) | _nulls(column)
        code[bad_rating] = 0
        column = rows.column(DATE)
        day = _days(column)
        bad_day = (day < 0) | (day > _LAST_DAY) | _nulls(column)
        day[bad_day] = 0
        payload = (day << CODE_BITS).astype(np.int32) | code
        faults = [
            (bad_user, f"{_EXPECTED_ID} as {USER_ID}"),
            (bad_item, f"{_EXPECTED_ID} as {ITEM_ID}"),
            (bad_rating, self._expected_rating),
            (bad_day, _EXPECTED_DATE),
        ]
        return item_id, user_id, payload, faults

    def _bad_row(self, unit: BatchUnit, row: int, expected: str) -> BadLine:
        """A row that cannot be stored, numbered from 0 in its unit."""
        return BadLine(self._file.label, row, _shown(unit.rows, row), expected, word="row")


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


_KINDS: Final[dict[str, tuple[Any, str]]] = {
    USER_ID: (pa.types.is_integer, "integers"),
    ITEM_ID: (pa.types.is_integer, "integers"),
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


def _ids(column: pa.Array) -> tuple[Array, Array]:
    """Ids as int32 with 0 for those that are none, and (n,) bool, which these are."""
    values = _numbers(column)
    wrong = (values < 1) | (values > MAX_ID)  # a null is 0
    return np.where(wrong, 0, values).astype(np.int32), wrong


def _days(column: pa.Array) -> Array:
    """Days since 1970-01-01 in UTC, (n,) int64, of dates or timestamps."""
    kind = column.type
    if pa.types.is_date32(kind):
        return _numbers(column.view(pa.int32())).astype(np.int64)
    unit = "ms" if pa.types.is_date64(kind) else kind.unit
    return _numbers(column.view(pa.int64())) // _TICKS_A_DAY[unit]


def _shown(rows: pa.RecordBatch, row: int) -> str:
    """A row as it is shown to people."""
    fields = []
    for name in rows.schema.names:
        column = rows.column(name).slice(row, 1)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp(column.type.unit))  # as UTC, which needs no zones
        fields.append(f"{name}={column.cast(pa.string())[0].as_py()}")
    return ", ".join(fields)
