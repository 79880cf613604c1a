"""The movies nearest to one movie, as a run sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bigrec.errors import DataError
from bigrec.features import UserRows
from bigrec.models.bias import Biases
from bigrec.models.ranking import list_length, top_movies
from bigrec.models.similarity import MovieSimilarity
from bigrec.recommend.movies import Movies


@dataclass(frozen=True)
class SimilarMovie:
    """One movie of a list of similar ones."""

    movie_id: int
    title: str | None
    year: int | None
    similarity: float
    """Higher is nearer; from -1 to 1 where it is a cosine (see bigrec.models.similarity)."""
    n_ratings: int
    """Train ratings."""


def similar_movies(
    similarity: MovieSimilarity,
    movies: Movies,
    biases: Biases,
    movie_index: int,
    *,
    top: int = 10,
    min_ratings: int = 1,
) -> list[SimilarMovie]:
    """The movies that are nearest to one, equal ones by number of train ratings, then by id.

    Args:
        similarity: the run's.
        movies: of the split.
        biases: of the run, for the number of train ratings.
        movie_index: the movie to compare with.
        top: length of the list; cut to the number of movies.
        min_ratings: train ratings that a movie needs to be listed. What a model knows of a movie
            with few is little better than chance.

    Raises:
        SettingsError: `top` is no length.
        RunError: the run gives similarities that are no numbers.
        DataError: the movie has no train rating, so the model knows nothing of it.
    """
    top = list_length(top, len(movies.ids))
    count = biases.movie_count
    if count[movie_index] == 0:
        raise DataError(f"{movies.name(movie_index)} has no rating on the train side of the split")
    values = similarity.compare(movie_index)
    itself = UserRows(np.array([0, 1]), np.array([movie_index]), np.zeros(1, np.float32))
    popularity = np.where(count >= min_ratings, count, 0)
    places = top_movies(values[None], itself, popularity, top)[0]
    return [
        SimilarMovie(
            int(movies.ids[place]), movies.titles[place], movies.years[place],
            float(values[place]), int(count[place]),
        )
        for place in places[places >= 0].tolist()
    ]  # fmt: skip
