"""The ratings of a person who is not in the data, from a csv file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bigrec.errors import DataError
from bigrec.features import BatchSpec, UserRows
from bigrec.recommend.movies import Movies
from bigrec.schema import MOVIE_ID, RATING

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PersonRatings:
    """What a person has rated, of the movies of a split."""

    movie_index: Array
    """(n,) int32, ascending; at least one."""
    rating: Array
    """(n,) float32, stars."""
    left_out: tuple[str, ...]
    """Ids or titles in the file that are no movie of the split."""

    @property
    def rows(self) -> UserRows:
        """The ratings as the row of one user."""
        return UserRows(np.array([0, len(self.rating)]), self.movie_index, self.rating)


def read_person(path: Path, movies: Movies, spec: BatchSpec) -> PersonRatings:
    """Read a csv file with the columns movie_id or title, and rating.

    Args:
        path: the file.
        movies: of the split; titles are found as `Movies.find` does.
        spec: the scale.

    Raises:
        DataError: the file is missing or is no such file, a rating is off the scale, a title fits
            several movies, a movie is rated twice, or no movie is of the split.
    """
    column, texts, ratings = _read(path)
    rated: dict[int, float] = {}
    left_out = []
    for line, (text, rating) in enumerate(zip(texts, ratings, strict=True), start=2):
        where = f"{path}, line {line}"
        if text is None or rating is None or not spec.min_rating <= rating <= spec.max_rating:
            raise DataError(
                f"{where}: found {text!r} rated {rating}, expected a {column} and a rating from "
                f"{spec.min_rating:g} to {spec.max_rating:g}"
            )
        place = _find(movies, column, text, where)
        if place is None:
            left_out.append(text)
        elif place in rated:
            raise DataError(f"{where}: {movies.name(place)} is rated twice")
        else:
            rated[place] = rating
    if not rated:
        raise DataError(
            f"{path}: none of its {len(left_out)} movies is in the split",
            hint="see the split's movies with: bigrec sql 'SELECT movie_id, title FROM movies'",
        )
    places = np.array(sorted(rated), np.int32)
    stars = np.array([rated[place] for place in places.tolist()], np.float32)
    return PersonRatings(places, stars, tuple(left_out))


def _find(movies: Movies, column: str, text: str, where: str) -> int | None:
    if column != MOVIE_ID:
        try:
            return movies.find(text)
        except DataError as error:
            raise DataError(f"{where}: {error.message}", hint=error.hint) from error
    if not text.strip().isdecimal():
        raise DataError(f"{where}: found {text!r}, expected a movie_id")
    return movies.find_id(int(text))


def _read(path: Path) -> tuple[str, list[str | None], list[float | None]]:
    if not path.exists():
        raise DataError(f"{path} is missing")
    try:
        frame = pl.read_csv(path, infer_schema=False)
        column = MOVIE_ID if MOVIE_ID in frame.columns else "title"
        ratings = frame.get_column(RATING).cast(pl.Float64)
        return column, frame.get_column(column).to_list(), ratings.to_list()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} cannot be read as ratings: expected the columns movie_id or title, and rating "
            f"as a number: {str(error).splitlines()[0]}"
        ) from error
