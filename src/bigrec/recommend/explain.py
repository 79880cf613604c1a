"""Why a movie is recommended.

Where the score is made from other users' ratings, by the nearest of them; else by the movies that
the user likes and the model finds most like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.features import UserRows
from bigrec.models.scoring import Raters
from bigrec.models.similarity import MovieSimilarity
from bigrec.recommend.movies import Movies

Array = np.ndarray[Any, Any]

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


@dataclass(frozen=True)
class NearUser:
    """A user whose rating stands behind a recommendation."""

    user_id: int
    rating: float
    """Of the recommended movie, by this user, in stars."""
    similarity: float
    """To the user who gets the recommendation."""


Reason = LikedMovie | NearUser


def explain_by_movies(
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


def explain_by_users(raters: Raters, user_ids: Array) -> tuple[NearUser, ...]:
    """The nearest users who have rated a movie.

    Args:
        raters: of the recommended movie.
        user_ids: (n_users,) int32, the id of each user_index.

    Returns:
        At most three, nearest first.
    """
    return tuple(
        NearUser(int(user_ids[user]), float(rating), float(similarity))
        for user, rating, similarity in zip(
            raters.user_index[:_REASONS].tolist(), raters.rating[:_REASONS],
            raters.similarity[:_REASONS], strict=True,
        )
    )  # fmt: skip
