"""What Arrow's types may stand for in a table of ratings, and columns of them as bigrec takes them.

A value that does not fit becomes null, so it is found where a null comes out that did not go in.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.sources.table.plan import DAYS, ISO, ITEM, RATING, USER
from bigrec.sources.table.times import is_number, is_text, is_typed_time, parse_times

Array = np.ndarray[Any, Any]

TIMESTAMP: Final = pa.timestamp("s")
_MOST_WHOLE: Final = float(1 << 53)
"""Floats as large as this do not tell neighboring whole numbers apart."""
_HEX: Final = np.frombuffer(bytes(range(256)).hex().encode(), np.uint8).reshape(256, 2)
_UUID_BYTES, _UUID_LENGTH, _HYPHENS = 16, 36, (8, 13, 18, 23)


def type_of(role: str, kind: pa.DataType, time_unit: str | None, *, are_days: bool) -> pa.DataType:
    """The type in which a column is handed on; None if it cannot have that role.

    Args:
        role: one of ROLES.
        kind: the column's type in the file.
        time_unit: see TablePlan.
        are_days: whether times that are text are whole days.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if role in (USER, ITEM):
        return _id_type(kind)
    if role == RATING:
        return pa.float64() if is_number(kind) or pa.types.is_boolean(kind) else None
    if is_typed_time(kind):
        return pa.date32() if pa.types.is_date(kind) else TIMESTAMP
    if is_text(kind):
        return pa.date32() if are_days else TIMESTAMP
    if is_number(kind) and time_unit not in (None, ISO):
        return pa.date32() if time_unit == DAYS else TIMESTAMP
    return None


def _id_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_uint64(kind):
        return pa.string()  # the upper half has no room in an int64
    if is_number(kind):
        return pa.int64()
    return pa.string() if is_text(kind) or _is_binary(kind) or _is_uuid(kind) else None


def convert(role: str, column: pa.Array, kind: pa.DataType, time_unit: str | None) -> pa.Array:
    """A column as it is handed on, null where a value does not fit.

    Args:
        role: one of ROLES.
        column: as it stands in the file, but no dictionary.
        kind: what `type_of` says of it, or of the same column in another file.
        time_unit: see TablePlan.
    """
    if role in (USER, ITEM):
        return _whole_numbers(column) if kind == pa.int64() else _texts(column)
    if role == RATING:
        return column.cast(pa.float64(), safe=False)
    times = parse_times(column, time_unit)
    if times.type == kind:
        return times
    if kind == pa.date32():  # a time of day would be lost
        days = times.cast(pa.date32(), safe=False)
        return pc.if_else(pc.equal(days.cast(TIMESTAMP), times), days, None)
    return times.cast(TIMESTAMP)


def _is_binary(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.UuidType)


def _whole_numbers(column: pa.Array) -> pa.Array:
    """Numbers as int64, null where one is not whole or too large to tell."""
    if pa.types.is_floating(column.type):
        values = column.cast(pa.float64())
        fits = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _MOST_WHOLE))
        return pc.if_else(fits, values, None).cast(pa.int64())
    if pa.types.is_decimal(column.type):
        text = pc.replace_substring_regex(column.cast(pa.string()), r"\.0*$", "")
        fits = pc.match_substring_regex(text, "^-?[0-9]{1,18}$")
        return pc.if_else(fits, text, None).cast(pa.int64())
    return column.cast(pa.int64())


def _texts(column: pa.Array) -> pa.Array:
    """Ids as text, null where bytes are no UTF-8."""
    if _is_uuid(column.type):
        return _uuid_texts(column.storage)
    try:
        texts = column.cast(pa.string())
        texts.validate(full=True)  # Parquet does not see to it that text is UTF-8
    except pa.ArrowInvalid:
        values = column.cast(pa.binary()).to_pylist()
        return pa.array([_decoded(value) for value in values], pa.string())
    return texts


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _uuid_texts(column: pa.Array) -> pa.Array:
    """UUIDs of 16 bytes in their usual form, such as 01234567-89ab-cdef-0123-456789abcdef."""
    filled = pc.fill_null(column, bytes(_UUID_BYTES))
    data = b"".join(filled.to_pylist())
    codes = np.frombuffer(data, np.uint8)
    text = np.full((len(column), _UUID_LENGTH), ord("-"), np.uint8)
    text[:, np.delete(np.arange(_UUID_LENGTH), _HYPHENS)] = _HEX[codes].reshape(len(column), -1)
    offsets = np.arange(len(column) + 1, dtype=np.int32) * _UUID_LENGTH
    texts = pa.StringArray.from_buffers(
        len(column), pa.py_buffer(offsets), pa.py_buffer(text.tobytes())
    )
    return pc.if_else(column.is_valid(), texts, None)
