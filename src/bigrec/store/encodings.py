"""Compiled Parquet encodings for the two kinds of column that ratings have.

Ids rise or repeat, so their differences are packed (DELTA_BINARY_PACKED); ratings and days are
drawn from small sets, so their ranks in a dictionary are packed (RLE_DICTIONARY). pyarrow has both,
but hashes every value to find its rank, where a table lookup does. The byte layouts are those of
https://parquet.apache.org/docs/file-format/data-pages/encodings/.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bigrec.compiled import compiled

_BLOCK: Final = 128  # rows of a delta block
_MINIBLOCK: Final = 32  # rows that share a bit width
RANK_TABLE_SIZE: Final = 1 << 16
"""Codes run from 0 to this, exclusive."""


def delta_capacity(n_rows: int) -> int:
    """Bytes that `encode_delta` may need for n_rows ids."""
    return 32 + (n_rows // _BLOCK + 1) * (10 + 4 * _BLOCK)


def rank_capacity(n_rows: int) -> int:
    """Bytes that `encode_ranks` may need for n_rows codes."""
    return 16 + 2 * (n_rows + 8)


@compiled
def _put_varint(out, position, value):  # type: ignore[no-untyped-def]
    value = np.uint64(value)
    while value >= np.uint64(128):
        out[position] = np.uint8(value & np.uint64(127)) | np.uint8(128)
        value >>= np.uint64(7)
        position += 1
    out[position] = np.uint8(value)
    return position + 1


@compiled
def _put_zigzag(out, position, value):  # type: ignore[no-untyped-def]
    return _put_varint(out, position, (value << 1) ^ (value >> 63))


@compiled
def _put_word(out, position, bits):  # type: ignore[no-untyped-def]
    out[position] = bits & np.uint64(255)
    out[position + 1] = (bits >> np.uint64(8)) & np.uint64(255)
    out[position + 2] = (bits >> np.uint64(16)) & np.uint64(255)
    out[position + 3] = (bits >> np.uint64(24)) & np.uint64(255)


@compiled
def _bit_width(value):  # type: ignore[no-untyped-def]
    width = 0
    while value >> width:
        width += 1
    return width


@compiled
def encode_delta(values, out):  # type: ignore[no-untyped-def]
    """Write ids as DELTA_BINARY_PACKED.

    Args:
        values: (n,) int32 above zero, n at least 1.
        out: uint8 of at least delta_capacity(n).

    Returns:
        (bytes written, smallest id, largest id).
    """
    n = len(values)
    deltas = np.empty(_BLOCK, np.int64)
    position = _put_varint(out, 0, _BLOCK)
    position = _put_varint(out, position, _BLOCK // _MINIBLOCK)
    position = _put_varint(out, position, n)
    before = np.int64(values[0])
    position = _put_zigzag(out, position, before)
    smallest = largest = before
    row = 1
    while row < n:
        n_deltas = min(_BLOCK, n - row)
        least = np.int64(1) << 62
        for index in range(n_deltas):
            value = np.int64(values[row + index])
            smallest = min(smallest, value)
            largest = max(largest, value)
            deltas[index] = value - before
            least = min(least, value - before)
            before = value
        for index in range(n_deltas, _BLOCK):
            deltas[index] = least
        position = _put_zigzag(out, position, least)
        widths_at = position
        position += _BLOCK // _MINIBLOCK
        for miniblock in range(_BLOCK // _MINIBLOCK):
            first = miniblock * _MINIBLOCK
            union = np.int64(0)
            for index in range(first, first + _MINIBLOCK):
                deltas[index] -= least
                union |= deltas[index]
            width = _bit_width(union)
            out[widths_at + miniblock] = width
            if width == 0:
                continue
            bits = np.uint64(0)
            n_bits = 0
            for index in range(first, first + _MINIBLOCK):
                bits |= np.uint64(deltas[index]) << np.uint64(n_bits)
                n_bits += width
                if n_bits >= 32:
                    _put_word(out, position, bits)
                    position += 4
                    bits >>= np.uint64(32)
                    n_bits -= 32
        row += n_deltas
    return position, smallest, largest


@compiled
def encode_ranks(values, shift, mask, ranks, dictionary, out):  # type: ignore[no-untyped-def]
    """Write the ranks of codes among the distinct codes, as the body of an RLE_DICTIONARY page.

    The code of a row is `(values[row] >> shift) & mask`, whatever the sign of the value. All ranks
    are packed in one width.

    Args:
        values: (n,) int32, n at least 1.
        shift, mask: which bits of a value are the code; mask < RANK_TABLE_SIZE.
        ranks: (RANK_TABLE_SIZE,) int32, all zero, and left so.
        dictionary: (RANK_TABLE_SIZE,) int32 out, the distinct codes, ascending.
        out: uint8 of at least rank_capacity(n).

    Returns:
        (bytes written, number of distinct codes).
    """
    n = len(values)
    highest = 0
    for row in range(n):
        code = (values[row] >> shift) & mask
        ranks[code] = 1
        highest = max(highest, code)
    n_codes = 0
    for code in range(highest + 1):
        if ranks[code]:
            dictionary[n_codes] = code
            ranks[code] = n_codes
            n_codes += 1
    width = max(1, _bit_width(n_codes - 1))
    out[0] = width
    n_groups = (n + 7) // 8
    position = _put_varint(out, 1, (n_groups << 1) | 1)
    end = position + n_groups * width
    bits = np.uint64(0)
    n_bits = 0
    for row in range(n):
        rank = ranks[(values[row] >> shift) & mask]
        bits |= np.uint64(rank) << np.uint64(n_bits)
        n_bits += width
        if n_bits >= 32:
            _put_word(out, position, bits)
            position += 4
            bits >>= np.uint64(32)
            n_bits -= 32
    while position < end:
        out[position] = bits & np.uint64(255)
        bits >>= np.uint64(8)
        position += 1
    for index in range(n_codes):
        ranks[dictionary[index]] = 0
    return position, n_codes
