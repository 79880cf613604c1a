"""Raw Netflix files made of rows, and the rows of a store: what ingest tests compare."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

import polars as pl

from bigrec.store.layout import StoreLayout

Row = tuple[int, int, int, dt.date]
"""Movie, user, stars, day."""

PROBE = b"2:\n7007\n1007\n1:\n7\n"  # the real file's movies are in no order either
QUALIFYING = b"2:\n7007,2005-12-19\n1:\n9,2005-12-20\n"


def some_rows(n_movies: int = 6, n_users: int = 9) -> list[Row]:
    """Rows of several movies, users in no order, no pair twice."""
    return [
        (
            movie,
            7 + (user * 5 + movie) % n_users * 1000,
            1 + (user + movie) % 5,
            dt.date(2001, 1, 1) + dt.timedelta(days=31 * user + movie),
        )
        for movie in range(1, n_movies + 1)
        for user in range(n_users - movie % 4)
    ]


def rating_text(rows: Iterable[Row], newline: str = "\n") -> str:
    """The text of a combined_data file."""
    parts = []
    for movie, group in groupby(rows, key=lambda row: row[0]):
        parts.append(f"{movie}:{newline}")
        parts += [f"{user},{stars},{day}{newline}" for _, user, stars, day in group]
    return "".join(parts)


def write_netflix(
    folder: Path,
    rows: Iterable[Row] | None = None,
    *,
    ratings: bytes | None = None,
    others: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a raw folder in Kaggle's form: all ratings in one file, titles, and other files.

    Args:
        folder: folder to make.
        rows: the ratings; some_rows() if neither they nor their text are given.
        ratings: the text of combined_data_1.txt.
        others: texts of further files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = rating_text(some_rows() if rows is None else rows).encode()
    (folder / "combined_data_1.txt").write_bytes(text if ratings is None else ratings)
    files = {"movie_titles.csv": b"1,2003,Dinosaur Planet\n2,NULL,Se\xf1or, the 2nd\n"}
    for name, data in (files | dict(others or {})).items():
        (folder / name).write_bytes(data)
    return folder


def stored_rows(store: Path, *, by_user: bool = False) -> list[Row]:
    """All rows of a store, in the order in which they lie there."""
    layout = StoreLayout(store)
    parts = layout.parts(layout.ratings_by_user if by_user else layout.ratings)
    return [
        (movie, user, int(stars), day)
        for part in parts
        for movie, user, stars, day in pl.read_parquet(part).iter_rows()
    ]


def snapshot(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def kaggle_zip(raw: Path) -> Path:
    archive = raw.parent / "netflix-prize-data.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(raw.iterdir()):
            target.write(path, path.name)
    return archive
