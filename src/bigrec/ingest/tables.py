"""Writing the small tables of a store: movies, users, probe and qualifying."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.ingest.rows import GroupStats, Pairs, Titles
from bigrec.schema import DATE, MOVIE_ID, USER_ID
from bigrec.store.writer import write_table

Array = np.ndarray[Any, Any]


def write_movie_table(path: Path, titles: Titles, rated: GroupStats) -> int:
    """Write one row for every movie with a title or a rating; return their number."""
    movie_id = np.union1d(titles.movie_id, rated.ids).astype(np.int32)
    n_ratings = np.zeros(len(movie_id), np.int32)
    sums = np.zeros(len(movie_id), np.int64)
    places = np.searchsorted(movie_id, rated.ids)
    n_ratings[places] = rated.counts
    sums[places] = rated.sums
    title: list[str | None] = [None] * len(movie_id)
    year: list[int | None] = [None] * len(movie_id)
    for place, name, released in zip(
        np.searchsorted(movie_id, titles.movie_id), titles.title, titles.year, strict=True
    ):
        title[place], year[place] = name, released
    write_table(
        path,
        {
            MOVIE_ID: pa.array(movie_id),
            "title": pa.array(title, pa.string()),
            "year": pa.array(year, pa.int32()),
            "n_ratings": pa.array(n_ratings),
            "mean_rating": _means(sums, n_ratings),
        },
    )
    return len(movie_id)


def write_user_table(path: Path, users: GroupStats) -> None:
    """Write one row for every user with a rating."""
    write_table(
        path,
        {
            USER_ID: pa.array(users.ids),
            "n_ratings": pa.array(users.counts),
            "mean_rating": _means(users.sums, users.counts),
            "first_date": pa.array(users.first_days).cast(pa.date32()),
            "last_date": pa.array(users.last_days).cast(pa.date32()),
        },
    )


def write_pairs(path: Path, runs: Iterator[Pairs] | None) -> int | None:
    """Write pairs run by run; return their number, or None without any file."""
    if runs is None:
        return None
    n_pairs = 0
    writer: pq.ParquetWriter | None = None
    try:
        for pairs in runs:
            columns = {MOVIE_ID: pa.array(pairs.movie_id), USER_ID: pa.array(pairs.user_id)}
            if pairs.day is not None:
                columns[DATE] = pa.array(pairs.day).cast(pa.date32())
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(
                path,
                table.schema,
                compression="zstd",
                use_dictionary=[DATE],
                column_encoding=dict.fromkeys((MOVIE_ID, USER_ID), "DELTA_BINARY_PACKED"),
            )
            writer.write_table(table)
            n_pairs += len(table)
    finally:
        if writer:
            writer.close()
    return n_pairs


def _means(half_stars: Array, counts: Array) -> pa.Array:
    with np.errstate(invalid="ignore"):
        return pa.array(half_stars / 2 / counts, mask=counts == 0)
