"""The Netflix Prize set in Kaggle's form: combined_data_*.txt, movie_titles.csv, probe, qualifying."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest import kernels
from bigrec.ingest.rows import MovieColumns, Pairs, Rows, Titles
from bigrec.ingest.units import (
    MOVIE_HEADER,
    RawUnit,
    format_error,
    line_at,
    plan_units,
    read_unit,
)

Array = np.ndarray[Any, Any]

_SHORTEST_RATING = len("1,1,2000-01-01\n")
_PAIR_UNIT_BYTES = 1 << 40  # probe and qualifying are parsed whole
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 16
_ROW = re.compile(rb"\n(\d{1,10}),")
_TITLE_LINE: Final = re.compile(r"([1-9][0-9]{0,9}),(NULL|[0-9]{4}),(.+)")


class NetflixFolder:
    """A folder of Kaggle's files. Any of the four combined files may be absent: a part is valid."""

    name = "netflix"
    signature = "combined_data_1.txt … and movie_titles.csv (Netflix Prize)"
    movie_sorted = True
    min_rating = 1.0
    max_rating = 5.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._combined = sorted(folder.glob("combined_data_*.txt"))

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether the folder has at least one combined_data file."""
        return any(folder.glob("combined_data_*.txt"))

    def files(self) -> list[Path]:
        """Every file that is read."""
        optional = (self._folder / "probe.txt", self._folder / "qualifying.txt")
        return [*self._combined, self._titles_path(), *(path for path in optional if path.exists())]

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at movie headers, in ascending order of movies."""
        for path in self._combined:
            yield from plan_units(path, MOVIE_HEADER, unit_bytes)

    def parse(self, unit: RawUnit) -> Rows:
        """Parse a unit and sort each movie's ratings by user.

        Raises:
            RawFormatError: a line breaks the grammar, or a user rates one movie twice.
        """
        keys, movies, starts = _parse_blocks(unit, has_rating=True, has_date=True)
        largest = int(np.diff(starts).max(initial=0))
        kernels.sort_within_movies(keys, starts, len(movies), np.empty(largest, np.uint64))
        n = len(keys)
        movie_id, user_id, day = (np.empty(n, np.int32) for _ in range(3))
        rating = np.empty(n, np.float32)
        sums = np.empty(len(movies), np.int64)
        duplicate, digest, first_day, last_day = kernels.unpack_movies(
            keys, movies, starts, len(movies), movie_id, user_id, rating, day, sums
        )
        if duplicate >= 0:
            raise _duplicate_error(unit, int(movie_id[duplicate]), int(user_id[duplicate]))
        columns = MovieColumns(
            rating, day, movies, np.diff(starts).astype(np.int32), sums,
            int(digest), int(first_day), int(last_day),
        )  # fmt: skip
        payload = keys.astype(np.uint32).view(np.int32)
        return Rows(movie_id, user_id, payload, columns)

    def sample(self) -> tuple[Array, Array, int]:
        """Movie ids are not sampled, since units come sorted by movie."""
        users: list[int] = []
        n_bytes = n_rows = total = 0
        for path in self._combined:
            size = path.stat().st_size
            total += size
            with path.open("rb") as file:
                for place in range(0, size, max(_SAMPLE_BYTES, size // _SAMPLE_PLACES)):
                    file.seek(place)
                    block = file.read(_SAMPLE_BYTES)
                    found = [int(user) for user in _ROW.findall(block)]
                    users += [user for user in found if user <= kernels.MAX_ID]
                    n_rows += len(found)
                    n_bytes += len(block)
        estimate = total * n_rows // max(n_bytes, 1)
        return np.zeros(1, np.int32), np.array(users or [1], np.int32), estimate

    def titles(self) -> Titles:
        """Read movie_titles.csv: split on the first two commas only, decoded as ISO-8859-1.

        Raises:
            RawFormatError: a line is no `id,year,title`.
        """
        path = self._titles_path()
        titles: dict[int, tuple[str, int | None]] = {}
        for number, line in enumerate(path.read_bytes().decode("iso-8859-1").split("\n"), start=1):
            line = line.removesuffix("\r")
            match = _TITLE_LINE.fullmatch(line)
            if match and int(match[1]) not in titles:
                titles[int(match[1])] = match[3], None if match[2] == "NULL" else int(match[2])
            elif line:
                expected = (
                    "a movie not listed before" if match else "id,year,title (year may be NULL)"
                )
                raise RawFormatError(path, number, line, expected)
        if not titles:
            raise DataError(f"{path} is empty", hint="fetch the file again")
        ids = sorted(titles)
        return Titles(
            np.array(ids, np.int32), [titles[i][0] for i in ids], [titles[i][1] for i in ids]
        )

    def probe(self) -> Pairs | None:
        """The pairs of probe.txt, if it is there."""
        return self._pairs("probe.txt", has_date=False)

    def qualifying(self) -> Pairs | None:
        """The pairs and days of qualifying.txt, if it is there."""
        return self._pairs("qualifying.txt", has_date=True)

    def _titles_path(self) -> Path:
        path = self._folder / "movie_titles.csv"
        if not path.exists():
            raise DataError(
                f"{path} is missing", hint="it belongs to the Kaggle set; fetch it into the folder"
            )
        return path

    def _pairs(self, name: str, *, has_date: bool) -> Pairs | None:
        path = self._folder / name
        if not path.exists():
            return None
        (unit,) = plan_units(path, MOVIE_HEADER, _PAIR_UNIT_BYTES)
        keys, movies, starts = _parse_blocks(unit, has_rating=False, has_date=has_date)
        return Pairs(
            movie_id=np.repeat(movies, np.diff(starts)),
            user_id=(keys >> np.uint64(32)).astype(np.int32),
            day=((keys >> np.uint64(8)) & np.uint64(0xFFFF)).astype(np.int32) if has_date else None,
        )


def _parse_blocks(unit: RawUnit, *, has_rating: bool, has_date: bool) -> tuple[Array, Array, Array]:
    text, length = read_unit(unit)
    if has_rating:
        most_rows = length // _SHORTEST_RATING + 1
    else:
        most_rows = int(np.count_nonzero(text[:length] == 10)) + 1
    most_movies = bytes(memoryview(text)[:length]).count(b":")
    keys = np.empty(most_rows, np.uint64)
    movies = np.empty(most_movies + 1, np.int32)
    starts = np.empty(most_movies + 2, np.int64)
    code, offset, n_rows, n_movies = kernels.parse_netflix(
        text, length, has_rating, has_date, unit.ends_file, keys, movies, starts
    )
    if code != kernels.OK:
        raise format_error(unit, int(offset), int(code))
    return keys[:n_rows], movies[:n_movies], starts[: n_movies + 1]


def _duplicate_error(unit: RawUnit, movie: int, user: int) -> RawFormatError:
    """Find the second line on which a user rates a movie."""
    text = bytes(read_unit(unit)[0])
    start = re.search(rb"(?:^|\n)%d:\r?\n" % movie, text)
    lines = re.compile(rb"(?:^|\n)(?=%d,)" % user).finditer(text, start.start() if start else 0)
    next(lines)
    second = next(lines).end()
    number, found = line_at(unit.path, unit.start + second)
    return RawFormatError(
        unit.path, number, found, f"one rating of movie {movie} by user {user}, this is the second"
    )
