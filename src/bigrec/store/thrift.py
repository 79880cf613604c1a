"""The few types of Thrift's compact protocol that a Parquet footer is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

_TRUE, _FALSE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 5, 6, 8, 9, 12
_BYTES: Final = [bytes([value]) for value in range(128)]


@dataclass(frozen=True)
class I32:
    """A 32-bit integer; a plain `int` is written as 64-bit."""

    value: int


Value: TypeAlias = "bool | int | I32 | str | bytes | list[Value] | dict[int, Value]"
"""A struct is a dict from field ids, ascending, to values; a list has at least one item."""


_KINDS: Final[dict[type, int]] = {
    I32: _I32, int: _I64, str: _BINARY, bytes: _BINARY, list: _LIST, dict: _STRUCT,
}  # fmt: skip


def encode_struct(fields: dict[int, Value]) -> bytes:
    """Write a struct."""
    out = bytearray()
    before = 0
    for field_id, value in fields.items():
        if isinstance(value, bool):
            kind, body = _TRUE if value else _FALSE, b""
        else:
            kind, body = _KINDS[type(value)], _encode(value)
        if field_id - before > 15:
            out.append(kind)
            out += _varint(_zigzag(field_id))
        else:
            out.append((field_id - before) << 4 | kind)
        before = field_id
        out += body
    out.append(0)
    return bytes(out)


def _encode(value: Value) -> bytes:
    if isinstance(value, I32):
        return _varint(_zigzag(value.value))
    if isinstance(value, int):
        return _varint(_zigzag(value))
    if isinstance(value, dict):
        return encode_struct(value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return _varint(len(value)) + value
    kind = _KINDS[type(value[0])]
    short = len(value) < 15
    head = bytes([len(value) << 4 | kind]) if short else bytes([0xF0 | kind]) + _varint(len(value))
    return head + b"".join([_encode(item) for item in value])


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    if value < 128:
        return _BYTES[value]
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
