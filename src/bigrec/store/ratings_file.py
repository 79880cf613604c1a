"""Writing one sorted part of ratings as a Parquet file that any engine reads.

Every column is required, one page a column and row group. It does what pyarrow would with the same
encodings, in a fraction of the time, since it knows what the columns hold (see `encodings`).
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bigrec.interactions import CODE_BITS, CODE_MASK, Scale
from bigrec.schema import (
    BY_DAY,
    DATE,
    EPOCH_DAY,
    ITEM_ID,
    RATING,
    SECOND,
    USER_ID,
    rating_columns,
)
from bigrec.store import encodings
from bigrec.store.publish import start_writing
from bigrec.store.thrift import I32, Value, encode_struct
from bigrec.version import __version__

Array = np.ndarray[Any, Any]

ROW_GROUP_ROWS: Final = 1 << 18

_MAGIC = b"PAR1"
_ZSTD_LEVEL = 1
_INT32, _FLOAT = I32(1), I32(4)
_REQUIRED = I32(0)
_DATE_TYPE, _DATE_LOGICAL_TYPE = I32(6), 6
_PLAIN, _RLE, _DELTA_BINARY_PACKED, _RLE_DICTIONARY = I32(0), I32(3), I32(5), I32(8)
_UNCOMPRESSED, _ZSTD = I32(0), I32(6)
_DATA_PAGE, _DICTIONARY_PAGE = I32(0), I32(2)


class RatingsWriter:
    """Writes parts of ratings one after the other, with one set of buffers; for one thread.

    Args:
        scale: the ratings that there are.
        time_unit: what is kept of times.
    """

    def __init__(self, scale: Scale, time_unit: str = BY_DAY) -> None:
        self._scale = scale
        self._columns = rating_columns(time_unit)
        capacity = {RATING: encodings.rank_capacity, DATE: encodings.rank_capacity}
        self._pages = {
            name: np.empty(capacity.get(name, encodings.delta_capacity)(ROW_GROUP_ROWS), np.uint8)
            for name in self._columns
        }
        self._ranks = np.zeros(encodings.RANK_TABLE_SIZE, np.int32)
        self._dictionary = np.empty(encodings.RANK_TABLE_SIZE, np.int32)
        self._zstd = pa.Codec("zstd", compression_level=_ZSTD_LEVEL)

    def write(
        self,
        path: Path,
        item_id: Array,
        user_id: Array,
        payload: Array,
        second: Array | None = None,
        *,
        by_user: bool = False,
    ) -> str:
        """Write one file; its SHA-256 in hexadecimal digits.

        Args:
            path: the Parquet file.
            item_id, user_id: (n,) int32, n at least 1.
            payload: (n,) int32, see bigrec.interactions.
            second: (n,) int32, of the day; None where times are not kept by the second.
            by_user: whether rows are sorted by (user_id, item_id), not by (item_id, user_id).
        """
        n_rows = len(payload)
        n_groups = -(-n_rows // ROW_GROUP_ROWS)
        edges = [n_rows * group // n_groups for group in range(n_groups + 1)]
        groups: list[Value] = []
        digest = hashlib.sha256()
        with path.open("wb", buffering=0) as file:
            _write_all(file.fileno(), [_MAGIC], digest)
            for start, end in zip(edges, edges[1:], strict=False):
                rows = slice(start, end)
                chunks = [
                    self._numbers(ITEM_ID, item_id[rows], compress=not by_user),
                    self._numbers(USER_ID, user_id[rows], compress=by_user),
                    self._ratings(payload[rows]),
                ]
                if DATE in self._columns:
                    chunks.append(self._dates(payload[rows], compress=by_user))
                if second is not None:
                    chunks.append(self._numbers(SECOND, second[rows], compress=False))
                groups.append(
                    _write_group(file.fileno(), chunks, end - start, digest, by_user=by_user)
                )
            footer = encode_struct(
                {
                    1: I32(2),  # version
                    2: _schema(self._columns),
                    3: n_rows,
                    4: groups,
                    6: f"bigrec {__version__}",
                    7: [{1: {}} for _ in self._columns],  # statistics compare as numbers do
                }
            )
            _write_all(file.fileno(), [footer, struct.pack("<I", len(footer)), _MAGIC], digest)
            start_writing(file)
        return digest.hexdigest()

    def _numbers(self, name: str, values: Array, *, compress: bool) -> _Chunk:
        page = self._pages[name]
        size, smallest, largest = encodings.encode_delta(values, page)
        chunk = _Chunk(name, _INT32, _pack("<i", smallest), _pack("<i", largest), len(values))
        # Repeated ids still shrink a lot, packed differences of others do not.
        chunk.add_page(page[:size], _DELTA_BINARY_PACKED, self._zstd if compress else None)
        return chunk

    def _ratings(self, payload: Array) -> _Chunk:
        page, n_codes = self._rank(RATING, payload, shift=0, mask=CODE_MASK)
        values = self._scale.table[self._dictionary[:n_codes]]
        low, high = _pack("<f", values[0]), _pack("<f", values[-1])
        chunk = _Chunk(RATING, _FLOAT, low, high, len(payload))
        chunk.add_dictionary(values, self._zstd)
        chunk.add_page(page, _RLE_DICTIONARY, self._zstd)
        return chunk

    def _dates(self, payload: Array, *, compress: bool) -> _Chunk:
        page, n_codes = self._rank(
            DATE, payload, shift=CODE_BITS, mask=encodings.RANK_TABLE_SIZE - 1
        )
        days = self._dictionary[:n_codes] - np.int32(EPOCH_DAY)
        chunk = _Chunk(DATE, _INT32, _pack("<i", days[0]), _pack("<i", days[-1]), len(payload))
        # A user rates many items on one day; the days of one item have no such runs.
        codec = self._zstd if compress else None
        chunk.add_dictionary(days, codec)
        chunk.add_page(page, _RLE_DICTIONARY, codec)
        return chunk

    def _rank(self, name: str, payload: Array, *, shift: int, mask: int) -> tuple[Array, int]:
        page = self._pages[name]
        size, n_codes = encodings.encode_ranks(
            payload, shift, mask, self._ranks, self._dictionary, page
        )
        return page[:size], int(n_codes)


class _Chunk:
    """One column of one row group: its pages and what the footer says of it."""

    def __init__(self, name: str, kind: I32, low: bytes, high: bytes, n_rows: int) -> None:
        self._name, self._kind, self._low, self._high = name, kind, low, high
        self._n_rows = n_rows
        self._encodings = [_PLAIN, _RLE]
        self._codec = _UNCOMPRESSED
        self._dictionary_bytes = 0
        self.buffers: list[Any] = []
        self.n_bytes = 0  # in the file
        self.n_raw_bytes = 0  # before compression

    def add_dictionary(self, values: Array, zstd: pa.Codec | None) -> None:
        """Add the page of distinct values, which may be reused afterwards."""
        header: dict[int, Value] = {7: {1: I32(len(values)), 2: _PLAIN}}
        self._add(_DICTIONARY_PAGE, values.copy().view(np.uint8), header, zstd)
        self._dictionary_bytes = self.n_bytes

    def add_page(self, body: Array, encoding: I32, zstd: pa.Codec | None) -> None:
        """Add the page of rows; `body` must keep until the group is written."""
        header: dict[int, Value] = {5: {1: I32(self._n_rows), 2: encoding, 3: _RLE, 4: _RLE}}
        self._encodings.append(encoding)
        self._add(_DATA_PAGE, body, header, zstd)

    def _add(self, kind: I32, body: Array, header: dict[int, Value], zstd: pa.Codec | None) -> None:
        data = body if zstd is None else zstd.compress(body)
        self._codec = _UNCOMPRESSED if zstd is None else _ZSTD
        page = encode_struct({1: kind, 2: I32(len(body)), 3: I32(len(data)), **header})
        self.buffers += [page, data]
        self.n_bytes += len(page) + len(data)
        self.n_raw_bytes += len(page) + len(body)

    def metadata(self, offset: int) -> Value:
        """The chunk's ColumnChunk, given where it starts in the file."""
        fields: dict[int, Value] = {
            1: self._kind,
            2: list(self._encodings),
            3: [self._name],
            4: self._codec,
            5: self._n_rows,
            6: self.n_raw_bytes,
            7: self.n_bytes,
            9: offset + self._dictionary_bytes,
        }
        if self._dictionary_bytes:
            fields[11] = offset
        fields[12] = {3: 0, 5: self._high, 6: self._low}
        return {2: offset, 3: fields}


def _write_group(
    descriptor: int, chunks: Sequence[_Chunk], n_rows: int, digest: hashlib._Hash, *, by_user: bool
) -> Value:
    offset = start = os.lseek(descriptor, 0, os.SEEK_CUR)
    columns: list[Value] = []
    for chunk in chunks:
        columns.append(chunk.metadata(offset))
        offset += chunk.n_bytes
    _write_all(descriptor, [buffer for chunk in chunks for buffer in chunk.buffers], digest)
    key = (1, 0) if by_user else (0, 1)
    return {
        1: columns,
        2: sum(chunk.n_raw_bytes for chunk in chunks),
        3: n_rows,
        4: [{1: I32(column), 2: False, 3: False} for column in key],  # sorted by, ascending
        6: offset - start,
    }


def _schema(columns: Iterable[str]) -> list[Value]:
    names = list(columns)
    fields: list[Value] = [{4: "schema", 5: I32(len(names))}]
    for name in names:
        field: dict[int, Value] = {1: _FLOAT if name == RATING else _INT32, 3: _REQUIRED, 4: name}
        if name == DATE:
            field |= {6: _DATE_TYPE, 10: {_DATE_LOGICAL_TYPE: {}}}
        fields.append(field)
    return fields


def _pack(layout: str, value: float) -> bytes:
    return struct.pack(layout, value)


def _write_all(descriptor: int, buffers: Sequence[Any], digest: hashlib._Hash) -> None:
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    for view in views:
        digest.update(view)
    n_written = os.writev(descriptor, views)
    for view in views:  # a signal or a full disk may have cut it short
        rest = view[min(n_written, len(view)) :]
        n_written -= len(view) - len(rest)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
