"""Reading tables of ratings from Parquet and Arrow files, alone or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.errors import DataError
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.sources.parsed import BadLine, note_bad_line
from bigrec.sources.raw import RawFile
from bigrec.sources.table.arrow_types import convert, type_of
from bigrec.sources.table.columnar_files import ColumnarFile, open_columnar
from bigrec.sources.table.plan import ITEM, RATING, TIME, USER, TablePlan
from bigrec.sources.table.times import are_days, is_number, is_text

MAX_BATCH_ROWS: Final = 1 << 16
"""Rows of a batch, at most."""
_EXAMPLE_ROWS: Final = 3
_NO_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"
_OUTPUT_NAMES: Final = {USER: USER_ID, ITEM: ITEM_ID, RATING: "rating"}

_EXPECTED_TYPES: Final = {
    USER: "whole numbers or text",
    ITEM: "whole numbers or text",
    RATING: "numbers",
    TIME: "timestamps, dates, text in ISO 8601, or numbers with --time-unit",
}
_EXPECTED_VALUES: Final = {
    USER: "a whole number, or text in UTF-8",
    ITEM: "a whole number, or text in UTF-8",
    RATING: "a number",
    TIME: "a time from the year 1 to 9999",
}


def peek_columnar(file: RawFile) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The columns of a file, and up to three rows as people would write them.

    Columns that a folder's name tells, such as `year=2020`, come behind the others.

    Returns:
        Names, and rows with a text for each name; empty where there is no value.

    Raises:
        DataError: the file cannot be read.
    """
    with open_columnar(file) as opened:
        partitions = _partitions(file, opened.schema)
        names = opened.schema.names
        columns: list[list[str]] = [[] for _ in names]
        for batch in opened.batches(names, _EXAMPLE_ROWS):
            for column, values in zip(columns, batch.columns, strict=True):
                column += _shown(values)
            if len(columns[0]) >= _EXAMPLE_ROWS:
                break
    rows = list(zip(*columns, strict=True))[:_EXAMPLE_ROWS]
    behind = tuple(value or "" for value in partitions.values())
    return (*names, *partitions), tuple((*row, *behind) for row in rows)


def count_rows(plan: TablePlan) -> int:
    """Rows of all files, as their metadata have it.

    Raises:
        DataError: a file cannot be read.
    """
    total = 0
    for file in plan.files:
        with open_columnar(file) as opened:
            total += sum(opened.groups)
    return total


def read_columnar(
    plan: TablePlan, bad_lines: list[BadLine] | None = None
) -> Iterator[pa.RecordBatch]:
    """The ratings in the order of the files.

    Args:
        plan: of files of Parquet or Arrow.
        bad_lines: takes rows with a value that does not fit, by their numbers in the file, and
            leaves them out; None to stop at the first.

    Yields:
        user_id and item_id, each int64 or string; rating, float64; date, date32, or time,
        timestamp["s"]; the last two if the plan has them. A value that the file does not have is
        null.

    Raises:
        DataError: a file cannot be read, or a column lacks or has a type that does not fit.
        RawFormatError: a value does not fit, and there is no list for it.
    """
    kinds: dict[str, pa.DataType] = {}
    for file in plan.files:
        with open_columnar(file) as opened:
            columns = _columns(plan, file, opened)
            for column in columns:
                kind = kinds.setdefault(column.role, column.kind)
                # Days are times as well, and may be days again.
                if kind != column.kind and column.role != TIME:
                    raise _changed_error(plan, file, column, kind)
            yield from _read_file(plan, file, opened, columns, kinds, bad_lines)


def locate(plan: TablePlan, row: int, left_out: Sequence[BadLine] = ()) -> str:
    """Where a row stands, such as `part-2.parquet, row group 3, row 17`; all count from 1.

    Args:
        plan: of files of Parquet or Arrow.
        row: from 0 over all rows that `read_columnar` yields.
        left_out: the rows that it left out.
    """
    for file in plan.files:
        with open_columnar(file) as opened:
            groups = opened.groups
        bad_rows = sorted(bad.line - 1 for bad in left_out if bad.path == file.label)
        n_kept = sum(groups) - len(bad_rows)
        if row >= n_kept:
            row -= n_kept
            continue
        for bad_row in bad_rows:
            row += bad_row <= row
        return f"{file.label}, {_within(groups, row)}"
    raise IndexError(row)


@dataclass(frozen=True)
class _Column:
    """A column of a file with its role."""

    role: str
    name: str
    found: pa.DataType
    """Its type in the file."""
    kind: pa.DataType
    """The type in which it is handed on."""
    constant: pa.Scalar | None = None
    """Its only value, if a folder's name tells it."""


def _columns(plan: TablePlan, file: RawFile, opened: ColumnarFile) -> list[_Column]:
    """The columns with a role.

    Raises:
        DataError: one is missing, there twice, or of a type that does not fit.
    """
    partitions = _partitions(file, opened.schema)
    columns = []
    for role, position in plan.columns.items():
        name = plan.names[position]
        constant = None
        if name in partitions:
            constant = _constant(file, role, name, partitions[name])
            found = constant.type
        else:
            found = _type_in(opened.schema, file, name)
        kind = type_of(role, found, plan.time_unit, are_days=role == TIME and are_days(plan))
        if kind is None:
            raise _type_error(file, role, name, found)
        columns.append(_Column(role, name, found, kind, constant))
    return columns


def _type_in(schema: pa.Schema, file: RawFile, name: str) -> pa.DataType:
    n_found = schema.names.count(name)
    if n_found != 1:
        what = "no column" if not n_found else f"{n_found} columns"
        raise DataError(
            f"{file.label} has {what} {name!r}, expected one; it has {', '.join(schema.names)}",
            hint="give files with the same columns, or name others: --columns user=NAME,item=NAME",
        )
    return schema.field(name).type


def _read_file(
    plan: TablePlan,
    file: RawFile,
    opened: ColumnarFile,
    columns: Sequence[_Column],
    kinds: Mapping[str, pa.DataType],
    bad_lines: list[BadLine] | None,
) -> Iterator[pa.RecordBatch]:
    stored = list(dict.fromkeys(column.name for column in columns if column.constant is None))
    first = 0
    for batch in opened.batches(stored, MAX_BATCH_ROWS):
        arrays: dict[str, pa.Array] = {}
        kept = np.ones(len(batch), bool)
        for column in columns:
            if column.constant is None:
                values = _decoded(batch.column(column.name))
            else:
                values = pa.repeat(column.constant, len(batch))
            kind = kinds[column.role]
            converted = convert(column.role, values, kind, plan.time_unit)
            name = _OUTPUT_NAMES.get(column.role) or ("date" if kind == pa.date32() else "time")
            arrays[name] = converted
            if converted.null_count > values.null_count:
                wrong = pc.and_(values.is_valid(), converted.is_null())
                for row in pc.indices_nonzero(wrong).to_pylist():
                    if kept[row]:
                        found = _shown(values.slice(row, 1))[0]
                        bad = _bad_row(file, first + row, column, found, kind)
                        note_bad_line(bad, bad_lines)
                        kept[row] = False
        first += len(batch)
        rows = pa.record_batch(arrays)
        yield rows if kept.all() else rows.filter(pa.array(kept))


def _bad_row(file: RawFile, row: int, column: _Column, found: str, kind: pa.DataType) -> BadLine:
    value = _EXPECTED_VALUES[column.role]
    if kind == pa.date32():
        value = "a day from the year 1 to 9999, without a time, as in the first rows"
    expected = f"{value}, as {column.role} in column {column.name!r}"
    return BadLine(file.label, 1 + row, found, expected, word="row")


def _within(groups: Sequence[int], row: int) -> str:
    """Where a row of a file stands in its row groups."""
    if len(groups) == 1:
        return f"row {row + 1}"
    group = int(np.searchsorted(np.cumsum(groups), row, side="right"))
    return f"row group {group + 1}, row {row - sum(groups[:group]) + 1}"


def _partitions(file: RawFile, schema: pa.Schema) -> dict[str, str | None]:
    """The columns that the names of a file's folders tell, the outermost first."""
    values: dict[str, str | None] = {}
    for folder in file.label.parent.parts[::-1]:
        name, equals, value = folder.partition("=")
        if not (name and equals):
            break
        values.setdefault(unquote(name), None if value == _NO_PARTITION else unquote(value))
    return {name: values[name] for name in reversed(values) if name not in schema.names}


def _constant(file: RawFile, role: str, name: str, value: str | None) -> pa.Scalar:
    """What a folder's name says of a column: a number for a rating, else text."""
    if role != RATING or value is None:
        return pa.scalar(value, pa.float64() if role == RATING else pa.string())
    try:
        return pa.scalar(float(value))
    except ValueError:
        raise DataError(
            f"{file.label}: found {name}={value} in the folder's name, expected a number as rating",
            hint="choose another column: --columns rating=NAME, or rating=none",
        ) from None


def _decoded(column: pa.Array) -> pa.Array:
    """A column without a dictionary."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _shown(column: pa.Array) -> list[str]:
    """Values as people would write them, empty for a null."""
    column = _decoded(column)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.timestamp(column.type.unit)).cast(pa.timestamp("s"), safe=False)
    try:
        return [text or "" for text in column.cast(pa.string()).to_pylist()]
    except (pa.ArrowException, UnicodeDecodeError):
        if is_text(column.type):
            column = column.cast(pa.binary())
        return ["" if value is None else str(value) for value in column.to_pylist()]


def _type_error(file: RawFile, role: str, name: str, found: pa.DataType) -> DataError:
    hint = f"choose another column: --columns {role}=NAME"
    if role in (RATING, TIME):
        hint += f", or {role}=none"
    if role == RATING and is_text(found):
        hint = f"turn the text into numbers where the file is made, or {hint}"
    if role == TIME and is_number(found):
        hint = "say what the numbers count: --time-unit seconds, milliseconds, microseconds or days"
    return DataError(
        f"{file.label}: column {name!r} is of type {found}, expected {_EXPECTED_TYPES[role]} "
        f"as {role}",
        hint=hint,
    )


def _changed_error(plan: TablePlan, file: RawFile, column: _Column, kind: pa.DataType) -> DataError:
    words = {pa.int64(): "whole numbers", pa.string(): "text"}
    return DataError(
        f"{file.label}: column {column.name!r} holds {words[column.kind]} ({column.found}), "
        f"expected {words[kind]} as in {plan.files[0].label}",
        hint="write all files with the same types",
    )
