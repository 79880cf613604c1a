"""Which movies are alike: by vectors, by lists of neighbours, or by who rated them how."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from bigrec.features import UserRows
from bigrec.models.bias import Biases
from bigrec.models.scoring import check_finite

Array = np.ndarray[Any, Any]

MOVIE_VECTORS: Final = "movie_vectors"
"""The name of a run's array of movie vectors: (n_movies, size) float32."""

NEIGHBOUR_INDEX: Final = "neighbour_index"
"""The name of a run's array of the nearest movies (or users) of each: (n, k) int32, -1: none."""
NEIGHBOUR_SIMILARITY: Final = "neighbour_similarity"
"""The name of the array of their similarities: (n, k) float32."""

_ROWS_AT_ONCE: Final = 1 << 20
_USERS_AT_ONCE: Final = 1 << 12
_SHRINKAGE: Final = 50.0


class MovieSimilarity(Protocol):
    """Something that compares movies."""

    def compare(self, movie: int) -> Array:
        """The similarity of one movie, by its index, to every movie: (n_movies,) float64.

        Higher is nearer; 0 where nothing is known.
        """


class VectorSimilarity:
    """Cosines of the vectors that a model has of its movies."""

    def __init__(self, vectors: Array) -> None:
        """Take the vectors: (n_movies, size) float32.

        Raises:
            RunError: one of their values is no finite number.
        """
        check_finite(vectors)
        self._vectors = unit_rows(vectors.astype(np.float64))

    def compare(self, movie: int) -> Array:
        """Cosines of one movie's vector with all."""
        return np.asarray(self._vectors @ self._vectors[movie])


class ListSimilarity:
    """Similarities as a search for neighbours found them; 0 to movies that no list holds."""

    def __init__(self, index: Array, similarity: Array) -> None:
        """Take the lists: (n_movies, k) int32 and float32."""
        self._index, self._similarity = index, similarity

    def compare(self, movie: int) -> Array:
        """One movie's list, spread over all movies."""
        real = self._index[movie] >= 0
        compared = np.zeros(len(self._index))
        compared[self._index[movie][real]] = self._similarity[movie][real]
        return compared


class RatingSimilarity:
    """Cosines of movies over their users' deviations from the bias model, shrunk by support.

    s(m, n) = cos(d_m, d_n) · common / (common + 50), with common the users who rated both: Koren,
    "Factor in the Neighbors" (TKDD 4(1), 2010), equation 2, with cosines of bias residuals.
    """

    def __init__(self, rows: UserRows, biases: Biases) -> None:
        """Take the train side and its bias model."""
        self._rows, self._biases = rows, biases

    def compare(self, movie: int) -> Array:
        """Cosines of one movie's column with all, in time of its raters' ratings."""
        places = np.flatnonzero(self._rows.movie_index == movie)
        raters = np.searchsorted(self._rows.indptr, places, side="right") - 1
        n_movies = len(self._biases.movie)
        dots, common = np.zeros(n_movies), np.zeros(n_movies)
        for start in range(0, len(raters), _USERS_AT_ONCE):
            users = raters[start : start + _USERS_AT_ONCE]
            taken = self._rows.take(users)
            deviations = self._deviations(
                np.repeat(users, taken.lengths()), taken.movie_index, taken.rating, taken.day
            )
            own = deviations[taken.movie_index == movie]  # one a user, in order
            dots += np.bincount(
                taken.movie_index, np.repeat(own, taken.lengths()) * deviations, n_movies
            )
            common += np.bincount(taken.movie_index, minlength=n_movies)
        norms = self._norms[movie] * self._norms
        cosines = np.divide(dots, norms, out=np.zeros(n_movies), where=norms > 0)
        return np.asarray(cosines * common / (common + _SHRINKAGE))

    @cached_property
    def _norms(self) -> Array:
        squares = np.zeros(len(self._biases.movie))
        for user, movie, rating, day in self._rows.pair_chunks(_ROWS_AT_ONCE):
            deviations = self._deviations(user, movie, rating, day)
            squares += np.bincount(movie, np.square(deviations), len(squares))
        return np.sqrt(squares)

    def _deviations(self, user: Array, movie: Array, rating: Array, day: Array | None) -> Array:
        expected = self._biases.score_pairs(user, movie) + self._biases.of_days(user, day)
        return np.asarray(rating - expected, np.float64)


def unit_rows(vectors: Array) -> Array:
    """The rows at length 1; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0))
