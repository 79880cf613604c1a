"""The few types of Thrift's compact protocol that a Parquet footer is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

_TRUE, _FALSE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 5, 6, 8, 9, 12


@dataclass(frozen=True)
class I32:
    """A 32-bit integer; a plain `int` is written as 64-bit."""

    value: int


Value: TypeAlias = "bool | int | I32 | str | bytes | list[Value] | dict[int, Value]"
"""A struct is a dict from field ids, ascending, to values; a list has at least one item."""


def encode_struct(fields: dict[int, Value]) -> bytes:
    """Write a struct."""
    out = bytearray()
    before = 0
    for field_id, value in fields.items():
        kind = (_TRUE if value else _FALSE) if isinstance(value, bool) else _kind(value)
        if field_id - before > 15:
            out.append(kind)
            out += _varint(_zigzag(field_id))
        else:
            out.append((field_id - before) << 4 | kind)
        before = field_id
        if not isinstance(value, bool):
            out += _encode(value)
    out.append(0)
    return bytes(out)


def _kind(value: Value) -> int:
    for kind, types in ((_I32, I32), (_I64, int), (_BINARY, str | bytes), (_LIST, list)):
        if isinstance(value, types):
            return kind
    return _STRUCT


def _encode(value: Value) -> bytes:
    if isinstance(value, I32):
        return _varint(_zigzag(value.value))
    if isinstance(value, int):
        return _varint(_zigzag(value))
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return _varint(len(value)) + value
    if isinstance(value, list):
        kind = _kind(value[0])
        short = len(value) < 15
        head = (
            bytes([len(value) << 4 | kind]) if short else bytes([0xF0 | kind]) + _varint(len(value))
        )
        return head + b"".join(_encode(item) for item in value)
    return encode_struct(value)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
