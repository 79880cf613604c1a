"""What a source hands to ingest: the parsed rows of one unit, titles, and pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """The ratings of one unit."""

    movie_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    payload: Array
    """(n,) int32, day << 8 | half stars."""
    columns: MovieColumns | None = None
    """What a movie-sorted unit has beyond that; None for rows in any order."""


@dataclass(frozen=True)
class MovieColumns:
    """A movie-sorted unit's remaining columns and its statistics."""

    rating: Array  # (n,) float32, stars
    day: Array  # (n,) int32, since 1970-01-01
    movies: Array  # (n_movies,) int32, ascending
    counts: Array  # (n_movies,) int32, ratings of each
    sums: Array  # (n_movies,) int64, half stars of each added up
    digest: int  # of the rows, modulo 2^64
    first_day: int
    last_day: int


@dataclass(frozen=True)
class Titles:
    """The movies as a source names them, ascending by id."""

    movie_id: Array
    """(n,) int32."""
    title: list[str]
    """(n,) as in the source."""
    year: list[int | None]
    """(n,) release year; None where the source has none."""


@dataclass(frozen=True)
class Pairs:
    """Pairs without ratings, in the order of their file."""

    movie_id: Array
    """(n,) int32."""
    user_id: Array
    """(n,) int32."""
    day: Array | None
    """(n,) int32 days since 1970-01-01, or None where the file has none."""
