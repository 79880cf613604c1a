"""Why a movie is recommended: the movies that the user likes and the model finds most like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bigrec.features import UserRows
from bigrec.models.similarity import MovieSimilarity
from bigrec.recommend.movies import Movies

_REASONS: Final = 3


@dataclass(frozen=True)
class LikedMovie:
    """A movie that stands behind a recommendation."""

    movie_id: int
    title: str | None
    year: int | None
    rating: float
    """By the user, in stars."""
    similarity: float
    """To the recommended movie (see bigrec.models.similarity)."""


def explain_movie(
    similarity: MovieSimilarity, movies: Movies, rated: UserRows, movie_index: int
) -> tuple[LikedMovie, ...]:
    """The movies most like one, of those that a user rates at least as high as they do on average.

    Args:
        similarity: the run's.
        movies: of the split.
        rated: the row of the one user.
        movie_index: the recommended movie.

    Returns:
        At most three, nearest first, all of positive similarity.
    """
    liked = np.flatnonzero(rated.rating >= rated.rating.mean())
    values = similarity.compare(movie_index)[rated.movie_index[liked]]
    nearest = np.argsort(-values, kind="stable")[:_REASONS]
    return tuple(
        LikedMovie(
            int(movies.ids[place]), movies.titles[place], movies.years[place],
            float(rating), float(value),
        )
        for place, rating, value in zip(
            rated.movie_index[liked[nearest]].tolist(), rated.rating[liked[nearest]],
            values[nearest], strict=True,
        )
        if value > 0
    )  # fmt: skip
