"""Reading tables of ratings from files of JSON objects, one a line or in one array.

Arrow parses a block of lines at a time. Where it finds a fault, or a field has another type than on
the first line, the block is parsed again line by line, so that what is wrong is named.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from bigrec.schema import ITEM_ID, USER_ID
from bigrec.sources.parsed import BadLine, note_bad_line
from bigrec.sources.raw import RawFile, empty_file_error
from bigrec.sources.table.arrow_types import TIMESTAMP, convert
from bigrec.sources.table.json_files import Block, parse_line, read_blocks
from bigrec.sources.table.plan import ISO, ITEM, RATING, TIME, USER, TablePlan
from bigrec.sources.table.times import are_days, parse_time

_PEEKED_LINES: Final = 100
_EXAMPLE_ROWS: Final = 3
_SHOWN_LENGTH: Final = 1000
_SHOWN_VALUE_LENGTH: Final = 40
_DAY_SECONDS: Final = 86_400
_OBJECT: Final = 'an object of JSON, such as {"user": "A7", "item": 42}'

_FieldPath = tuple[str, ...]


def peek_json_lines(file: RawFile) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The fields of a file, and up to three rows as they stand in it.

    Fields of objects inside the object have names with dots, such as `user.id`.

    Returns:
        Names, and rows with a text for each name; empty where there is no value.

    Raises:
        DataError: the file cannot be read, or none of its first lines is an object.
    """
    records: list[dict[str, str]] = []
    for block in read_blocks(file):
        for number, line in block.lines():
            record = parse_line(line)
            if record is not None:
                records.append(dict(_fields(record)))
            if number - block.first >= _PEEKED_LINES:
                break
        if records:
            break
        for number, line in block.lines():
            raise BadLine(file.label, number, _shown(line), _OBJECT, word=block.word).error()
    if not records:
        raise empty_file_error(file)
    names = tuple(dict.fromkeys(name for record in records for name in record))
    rows = (tuple(record.get(name, "") for name in names) for record in records[:_EXAMPLE_ROWS])
    return names, tuple(rows)


def read_json_lines(
    plan: TablePlan, bad_lines: list[BadLine] | None = None
) -> Iterator[pa.RecordBatch]:
    """The ratings in the order of the files.

    Args:
        plan: of files of JSON objects; names with dots are fields of objects inside the object.
        bad_lines: takes lines that are no object, or whose fields do not fit, and leaves them out;
            None to stop at the first.

    Yields:
        user_id and item_id, string; rating, float64; date, date32, or time, timestamp["s"]; the
        last two if the plan has them, null where a line has none.

    Raises:
        DataError: a file cannot be read.
        RawFormatError: a line does not fit, and there is no list for it.
    """
    reader = _Reader(plan)
    for file in plan.files:
        for block in read_blocks(file):
            batch = reader.parse(block)
            yield reader.parse_by_line(file, block, bad_lines) if batch is None else batch


def locate_json_line(plan: TablePlan, row: int, left_out: Sequence[BadLine] = ()) -> str:
    """Where a row stands, such as `reviews.json, line 17`.

    Args:
        plan: of files of JSON objects.
        row: from 0 over all rows that `read_json_lines` yields.
        left_out: the lines that it left out.
    """
    for file in plan.files:
        bad = {line.line for line in left_out if line.path == file.label}
        for block in read_blocks(file):
            for number, _ in block.lines():
                if number not in bad:
                    if not row:
                        return f"{file.label}, {block.word} {number}"
                    row -= 1
    raise IndexError(row)


class _Reader:
    """Parses blocks of one table."""

    def __init__(self, plan: TablePlan) -> None:
        self._paths: dict[str, _FieldPath] = {
            role: tuple(plan.names[position].split(".")) for role, position in plan.columns.items()
        }
        self._unit = plan.time_unit or ISO
        self._time_type = TIMESTAMP
        if TIME in plan.columns and are_days(plan):
            self._time_type = pa.date32()

    def parse(self, block: Block) -> pa.RecordBatch | None:
        """The rows of a block whose lines are all good and alike; None if they are not."""
        from pyarrow import json as arrow_json

        n_objects = block.n_objects()
        if n_objects is None:
            return None
        types = self._types(parse_line(block.text[: block.text.index(b"\n")]) or {})
        try:
            table = arrow_json.read_json(
                pa.BufferReader(block.text),
                arrow_json.ReadOptions(use_threads=False, block_size=len(block.text) + 1),
                arrow_json.ParseOptions(
                    explicit_schema=_schema(self._paths, types), unexpected_field_behavior="ignore"
                ),
            )
            if table.num_rows != n_objects:
                return None
            (rows,) = table.combine_chunks().to_batches()
            return self._checked({role: _column(rows, path) for role, path in self._paths.items()})
        except pa.ArrowInvalid:
            return None

    def _types(self, record: Mapping[str, Any]) -> dict[str, pa.DataType]:
        """The type of each role, as it is in one object."""
        types = {}
        for role, path in self._paths.items():
            value = _value(record, path)
            if role == RATING:
                kind = pa.bool_() if isinstance(value, bool) else pa.float64()
            elif isinstance(value, float) and role == TIME:
                kind = pa.float64()
            else:
                kind = pa.int64() if isinstance(value, int) else pa.string()
            types[role] = pa.string() if role == TIME and self._unit == ISO else kind
        return types

    def _checked(self, columns: Mapping[str, pa.Array]) -> pa.RecordBatch | None:
        """The batch of the columns; None if a value does not fit."""
        ids = [columns[role].cast(pa.string()) for role in (USER, ITEM)]
        for column in ids:
            column.validate(full=True)
            if column.null_count or not pc.min(pc.binary_length(column)).as_py():
                return None
        arrays = ids
        if RATING in columns:
            rating = columns[RATING].cast(pa.float64())
            if pc.any(pc.invert(pc.is_finite(rating))).as_py():
                return None
            arrays.append(rating)
        if TIME in columns:
            times = convert(TIME, columns[TIME], self._time_type, self._unit)
            if times.null_count > columns[TIME].null_count:
                return None
            arrays.append(times)
        return self._batch(arrays)

    def parse_by_line(
        self, file: RawFile, block: Block, bad_lines: list[BadLine] | None
    ) -> pa.RecordBatch:
        """The good lines of a block.

        Raises:
            RawFormatError: one is bad, and there is no list for it.
        """
        rows: list[tuple[Any, ...]] = []
        for number, line in block.lines():
            try:
                rows.append(self._row(line))
            except ValueError as error:
                bad = BadLine(file.label, number, _shown(line), str(error), word=block.word)
                note_bad_line(bad, bad_lines)
        columns = list(zip(*rows, strict=True)) or [()] * len(self._paths)
        types = [pa.string(), pa.string()]
        if RATING in self._paths:
            types.append(pa.float64())
        if TIME in self._paths:
            types.append(pa.int32() if self._time_type == pa.date32() else pa.int64())
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        if TIME in self._paths:
            arrays[-1] = arrays[-1].view(self._time_type)
        return self._batch(arrays)

    def _row(self, line: bytes) -> tuple[Any, ...]:
        """User, item, and what else there is: rating and time, days or seconds since 1970.

        Raises:
            ValueError: the line does not fit; the message says what is expected.
        """
        record = parse_line(line)
        if record is None:
            raise ValueError(_OBJECT)
        row: list[Any] = []
        for role in (USER, ITEM, RATING, TIME):
            if role in self._paths:
                value = _value(record, self._paths[role])
                try:
                    row.append(self._field(role, value))
                except ValueError as error:
                    name = ".".join(self._paths[role])
                    found = json.dumps(value, default=str)
                    if len(found) > _SHOWN_VALUE_LENGTH:
                        found = f"{found[:_SHOWN_VALUE_LENGTH]}…"
                    raise ValueError(f"{error} as {role} in {name!r}, not {found}") from None
        return tuple(row)

    def _field(self, role: str, value: Any) -> Any:
        """The value of a role.

        Raises:
            ValueError: it does not fit; the message says what would.
        """
        if role in (USER, ITEM):
            return _id(value)
        if value is None:
            return None
        return _rating(value) if role == RATING else self._time(value)

    def _time(self, value: Any) -> int:
        text = value if isinstance(value, str) else ""
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            text = str(math.floor(value))
        parsed = parse_time(text, self._unit)
        is_days = self._time_type == pa.date32()
        if parsed is None or (is_days and parsed[1]):
            if is_days:
                raise ValueError("a day, without a time, as in the first rows")
            raise ValueError(
                "a time in ISO 8601" if self._unit == ISO else f"a time in {self._unit}"
            )
        day, second = parsed
        return day if is_days else day * _DAY_SECONDS + second

    def _batch(self, arrays: Sequence[pa.Array]) -> pa.RecordBatch:
        """A batch of user, item, and what else there is."""
        names = [USER_ID, ITEM_ID]
        if RATING in self._paths:
            names.append("rating")
        if TIME in self._paths:
            names.append("date" if self._time_type == pa.date32() else "time")
        return pa.record_batch(list(arrays), names)


def _id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise ValueError("a text or a whole number")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("text in UTF-8") from None
    return value


def _rating(value: Any) -> float:
    try:
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise ValueError("a number")


def _value(record: Mapping[str, Any], path: _FieldPath) -> Any:
    """A field of an object, or of objects inside it; None where there is none."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _fields(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """The fields of an object and of those inside it, as names and texts."""
    for name, value in record.items():
        if not isinstance(name, str) or "." in name:
            continue  # nobody could tell it from a field of an object inside
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{before}{name}.")
        elif isinstance(value, str):
            yield f"{before}{name}", value
        else:
            text = "" if value is None else json.dumps(value, default=str)
            yield f"{before}{name}", text


def _schema(paths: Mapping[str, _FieldPath], types: Mapping[str, pa.DataType]) -> pa.Schema:
    """The schema in which fields of objects inside the object are structs."""
    tree: dict[str, Any] = {}
    for role, path in paths.items():
        inside = tree
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
        inside[path[-1]] = types[role]
    return pa.schema(_arrow_fields(tree))


def _arrow_fields(tree: Mapping[str, Any]) -> list[pa.Field]:
    return [
        pa.field(name, pa.struct(_arrow_fields(kind)) if isinstance(kind, dict) else kind)
        for name, kind in tree.items()
    ]


def _column(rows: pa.RecordBatch, path: _FieldPath) -> pa.Array:
    column = rows.column(path[0])
    return pc.struct_field(column, list(path[1:])) if path[1:] else column


def _shown(line: bytes) -> str:
    return line[:_SHOWN_LENGTH].decode("utf-8", "replace")
