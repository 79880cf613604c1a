"""MovieLens in its csv form (10M to 32M and latest): ratings.csv and movies.csv."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest import kernels
from bigrec.ingest.rows import Pairs, Rows, Titles
from bigrec.ingest.units import LINE_START, RawUnit, format_error, plan_units, read_unit

Array = np.ndarray[Any, Any]

_RATINGS_HEADER: Final = "userId,movieId,rating,timestamp"
_MOVIES_HEADER: Final = "movieId,title,genres"
_SHORTEST_ROW = len("1,1,1,1\n")
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_ROW = re.compile(rb"\n(\d{1,10}),(\d{1,10}),")
_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")


class MovieLensCsv:
    """A folder with ratings.csv and movies.csv. Timestamps become UTC days."""

    name = "movielens"
    signature = "ratings.csv and movies.csv (MovieLens)"
    movie_sorted = False
    min_rating = 0.5
    max_rating = 5.0

    def __init__(self, folder: Path) -> None:
        self._ratings = folder / "ratings.csv"
        self._movies = folder / "movies.csv"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether the folder has a ratings.csv."""
        return (folder / "ratings.csv").exists()

    def files(self) -> list[Path]:
        """Every file that is read."""
        if not self._movies.exists():
            raise DataError(
                f"{self._movies} is missing", hint="it belongs to the MovieLens set; fetch it again"
            )
        return [self._ratings, self._movies]

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at lines."""
        with self._ratings.open("rb") as file:
            header = file.readline(200).decode("utf-8-sig", "replace").rstrip("\r\n")
        if header and header != _RATINGS_HEADER:
            raise RawFormatError(self._ratings, 1, header, f"the header {_RATINGS_HEADER!r}")
        yield from plan_units(self._ratings, LINE_START, unit_bytes, skip_lines=1)

    def parse(self, unit: RawUnit) -> Rows:
        """Parse a unit; rows stay in the order of the file.

        Raises:
            RawFormatError: a line breaks the grammar.
        """
        text, length = read_unit(unit)
        keys = np.empty(length // _SHORTEST_ROW + 1, np.uint64)
        movies = np.empty(len(keys), np.int32)
        code, offset, n_rows = kernels.parse_delimited(
            text, length, ord(","), 1, unit.ends_file, keys, movies
        )
        if code != kernels.OK:
            raise format_error(unit, int(offset), int(code))
        keys = keys[:n_rows]
        payload = keys.astype(np.uint32).view(np.int32)
        return Rows(movies[:n_rows], (keys >> np.uint64(32)).astype(np.int32), payload)

    def sample(self) -> tuple[Array, Array, int]:
        """Ids from lines at places all over the file."""
        users: list[int] = []
        movies: list[int] = []
        n_bytes = 0
        size = self._ratings.stat().st_size
        with self._ratings.open("rb") as file:
            for place in range(0, size, max(_SAMPLE_BYTES, size // _SAMPLE_PLACES)):
                file.seek(place)
                block = file.read(_SAMPLE_BYTES)
                n_bytes += len(block)
                for user, movie in _ROW.findall(block):
                    if int(user) <= kernels.MAX_ID and int(movie) <= kernels.MAX_ID:
                        users.append(int(user))
                        movies.append(int(movie))
        estimate = size * len(users) // max(n_bytes, 1)
        return np.array(movies or [1], np.int32), np.array(users or [1], np.int32), estimate

    def titles(self) -> Titles:
        """Read movies.csv; the year is the one in brackets behind the title.

        Raises:
            RawFormatError: a row has another form.
        """
        titles: dict[int, tuple[str, int | None]] = {}
        with self._movies.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = ",".join(next(rows, []))
            if header != _MOVIES_HEADER:
                raise RawFormatError(self._movies, 1, header, f"the header {_MOVIES_HEADER!r}")
            for row in rows:
                if len(row) != 3 or not row[0].isdecimal() or int(row[0]) in titles:
                    raise RawFormatError(
                        self._movies, rows.line_num, ",".join(row), "a new movieId,title,genres"
                    )
                year = _YEAR.search(row[1])
                titles[int(row[0])] = _YEAR.sub("", row[1]), int(year[1]) if year else None
        ids = sorted(titles)
        return Titles(
            np.array(ids, np.int32), [titles[i][0] for i in ids], [titles[i][1] for i in ids]
        )

    def probe(self) -> Pairs | None:
        """MovieLens has none."""
        return None

    def qualifying(self) -> Pairs | None:
        """MovieLens has none."""
        return None
