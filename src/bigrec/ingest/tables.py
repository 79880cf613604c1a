"""Writing the tables of a store beside its ratings: items, users, probe and qualifying.

Users and items are written as they come, so that no number of them fills the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.ingest.key_file import KeyReader
from bigrec.ingest.row_kernels import GroupStats
from bigrec.schema import DATE, EPOCH_DAY, ITEM_ID, KEY, USER_ID
from bigrec.sources.parsed import Pairs, Titles
from bigrec.store.small_tables import arrow_column

Array = np.ndarray[Any, Any]

_GROUP_IDS: Final = 1 << 16


class TableWriter:
    """Writes a table of users or of items in order of ids, some thousand rows at a time.

    Args:
        path: the Parquet file.
        keys: what reads the keys, in the order of the ids; None where ids are the source's own.
    """

    def __init__(self, path: Path, keys: KeyReader | None) -> None:
        self._path = path
        self._keys = keys
        self._writer: pq.ParquetWriter | None = None
        self.n_rows = 0

    def write(self, columns: dict[str, pa.Array]) -> None:
        """Write rows.

        Args:
            columns: (n,) by name; the first one holds ids, ascending, above those before.
        """
        n_rows = len(next(iter(columns.values())))
        if self._keys is not None:
            (name, ids), *others = columns.items()
            columns = {name: ids, KEY: self._keys.read(n_rows), **dict(others)}
        table = pa.table(columns)
        if self._writer is None:
            encodings = dict.fromkeys(list(columns)[:1], "DELTA_BINARY_PACKED")
            if self._keys is not None:
                encodings[KEY] = "DELTA_BYTE_ARRAY"
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                compression="zstd",
                use_dictionary=[name for name in columns if name not in encodings],
                column_encoding=encodings,
            )
        self._writer.write_table(table)
        self.n_rows += n_rows

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.close()
        if self._keys is not None:
            self._keys.close()


def write_user_table(
    path: Path, groups: Iterable[GroupStats], keys: KeyReader | None, *, with_dates: bool
) -> int:
    """Write one row for every user with a rating; return their number.

    Args:
        path: the Parquet file.
        groups: statistics of ascending ranges of ids.
        keys: of the users; None where ids are the source's own.
        with_dates: whether there are times.
    """
    with closing(TableWriter(path, keys)) as writer:
        for users in _large(groups):
            columns = {
                USER_ID: arrow_column(users.ids),
                "n_ratings": arrow_column(users.counts),
                "mean_rating": _means(users.sums, users.counts),
            }
            if with_dates:
                columns |= {
                    "first_date": arrow_column(users.first_days - np.int32(EPOCH_DAY), pa.date32()),
                    "last_date": arrow_column(users.last_days - np.int32(EPOCH_DAY), pa.date32()),
                }
            writer.write(columns)
    return writer.n_rows


def write_item_table(
    path: Path, groups: Iterable[GroupStats], keys: KeyReader | None, titles: Titles
) -> int:
    """Write one row for every item with a title or a rating; return their number.

    Args:
        path: the Parquet file.
        groups: statistics of ascending ranges of ids.
        keys: of the items; None where ids are the source's own.
        titles: what is known of items.
    """
    begin = 0
    rated: GroupStats | None = None
    with closing(TableWriter(path, keys)) as writer:
        for following in _large(groups):
            if rated is not None:
                end = int(np.searchsorted(titles.item_id, following.ids[0]))
                writer.write(_item_columns(titles.part(begin, end), rated))
                begin = end
            rated = following
        if rated is not None:
            writer.write(_item_columns(titles.part(begin, len(titles.title)), rated))
    return writer.n_rows


def _large(groups: Iterable[GroupStats]) -> Iterator[GroupStats]:
    """The same statistics, in groups of some ten thousand ids at least, save the last."""
    waiting: list[GroupStats] = []
    for group in groups:
        waiting.append(group)
        if sum(len(some.ids) for some in waiting) >= _GROUP_IDS:
            yield GroupStats.concatenate(waiting)
            waiting = []
    if waiting:
        yield GroupStats.concatenate(waiting)


def _item_columns(titles: Titles, rated: GroupStats) -> dict[str, pa.Array]:
    """The items of a range of ids."""
    item_id = np.union1d(titles.item_id, rated.ids).astype(np.int32)
    n_ratings = np.zeros(len(item_id), np.int32)
    sums = np.zeros(len(item_id))
    positions = np.searchsorted(item_id, rated.ids)
    n_ratings[positions] = rated.counts
    sums[positions] = rated.sums
    positions = np.searchsorted(item_id, titles.item_id)
    untitled = np.ones(len(item_id), bool)
    untitled[positions] = False
    year = np.zeros(len(item_id), np.int32)
    year[positions] = [released or 0 for released in titles.year]
    columns = {
        ITEM_ID: arrow_column(item_id),
        "title": _texts(titles.title, untitled),
        "year": arrow_column(year, missing=year == 0),
        "n_ratings": arrow_column(n_ratings),
        "mean_rating": _means(sums, n_ratings),
    }
    if titles.attributes is not None:
        rows = np.zeros(len(item_id), np.int64)
        rows[positions] = np.arange(len(positions))
        table = titles.attributes.combine_chunks()
        for name in table.column_names:
            column = table[name]
            if not len(column):
                columns[name] = pa.nulls(len(item_id), column.type)
                continue
            columns[name] = column.take(arrow_column(rows, missing=untitled)).combine_chunks()
    return columns


def write_pairs(path: Path, runs: Iterator[Pairs]) -> int:
    """Write pairs run by run; return their number."""
    n_pairs = 0
    writer: pq.ParquetWriter | None = None
    try:
        for pairs in runs:
            columns = {
                ITEM_ID: arrow_column(pairs.item_id), USER_ID: arrow_column(pairs.user_id)
            }  # fmt: skip
            if pairs.day is not None:
                columns[DATE] = arrow_column(pairs.day, pa.date32())
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(
                path,
                table.schema,
                compression="zstd",
                use_dictionary=[DATE],
                column_encoding=dict.fromkeys((ITEM_ID, USER_ID), "DELTA_BINARY_PACKED"),
            )
            writer.write_table(table)
            n_pairs += len(table)
    finally:
        if writer:
            writer.close()
    return n_pairs


def _means(sums: Array, counts: Array) -> pa.Array:
    missing = counts == 0
    return arrow_column(sums / np.where(missing, 1, counts), missing=missing)


def _texts(texts: list[str | None], missing: Array) -> pa.Array:
    """The texts in the places that are not missing, as a column."""
    if None in texts:
        missing = missing.copy()
        missing[np.flatnonzero(~missing)] = [text is None for text in texts]
    encoded = [text.encode() for text in texts if text is not None]
    lengths = np.zeros(len(missing) + 1, np.int32)
    lengths[1:][~missing] = [len(text) for text in encoded]
    return pa.Array.from_buffers(
        pa.string(),
        len(missing),
        [
            pa.py_buffer(np.packbits(~missing, bitorder="little")),
            pa.py_buffer(np.cumsum(lengths, dtype=np.int32)),
            pa.py_buffer(b"".join(encoded)),
        ],
    )
