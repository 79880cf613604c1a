"""Writing the small tables of a store: items, users, probe and qualifying."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.ingest.row_kernels import GroupStats
from bigrec.schema import DATE, ITEM_ID, USER_ID
from bigrec.sources.parsed import Pairs, Titles
from bigrec.store.small_tables import arrow_column, write_table

Array = np.ndarray[Any, Any]


def write_item_table(path: Path, titles: Titles, rated: GroupStats) -> int:
    """Write one row for every item with a title or a rating; return their number."""
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
    write_table(
        path,
        {
            ITEM_ID: arrow_column(item_id),
            "title": _texts(titles.title, untitled),
            "year": arrow_column(year, missing=year == 0),
            "n_ratings": arrow_column(n_ratings),
            "mean_rating": _means(sums, n_ratings),
        },
    )
    return len(item_id)


def write_user_table(path: Path, users: GroupStats) -> None:
    """Write one row for every user with a rating."""
    write_table(
        path,
        {
            USER_ID: arrow_column(users.ids),
            "n_ratings": arrow_column(users.counts),
            "mean_rating": _means(users.sums, users.counts),
            "first_date": arrow_column(users.first_days, pa.date32()),
            "last_date": arrow_column(users.last_days, pa.date32()),
        },
    )


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


def _texts(texts: list[str], missing: Array) -> pa.Array:
    """The texts in the places that are not missing, as a column."""
    encoded = [text.encode() for text in texts]
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
