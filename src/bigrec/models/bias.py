"""The bias model: mean plus a deviation of the user and one of the movie.

    score(u, m) = mean + user_bias[u] + movie_bias[m]

It is a baseline, what tuned models start from, and the fallback for pairs that a model cannot
score. `bias_fit` fits it, and is a module of its own because its compiled loops take time to load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

USER_PENALTY: Final = 5.0
"""Ridge penalty of a user's bias: train rows at which the bias is half of the mean deviation."""
MOVIE_PENALTY: Final = 3.0
"""Likewise of a movie's."""


@dataclass(frozen=True)
class Biases:
    """A fitted bias model. A user or movie without train rows has a bias of 0."""

    mean: float
    """Mean of the train side, in stars."""
    user: Array
    """(n_users,) float32."""
    movie: Array
    """(n_movies,) float32."""
    movie_mean: Array
    """(n_movies,) float32: plain mean of each movie; the overall mean without train rows."""
    user_count: Array
    """(n_users,) int32: train rows of each user."""
    movie_count: Array
    """(n_movies,) int32: train rows of each movie."""

    def score_pairs(self, user_index: Array, movie_index: Array) -> Array:
        """Scores of pairs: (n,) float32. An index below 0 stands for an unknown id: bias 0."""
        user = np.where(user_index >= 0, self.user[user_index], 0)
        movie = np.where(movie_index >= 0, self.movie[movie_index], 0)
        return (self.mean + user + movie).astype(np.float32)

    def fold_in(self, movie_index: Array, rating: Array) -> float:
        """The bias of a person who is not in the data, as `bias_fit` would find it.

        Args:
            movie_index: (n,) int32, the movies that the person has rated.
            rating: (n,) float32, stars.
        """
        deviations = rating - self.mean - self.movie[movie_index]
        return float(deviations.sum(dtype=np.float64) / (len(rating) + USER_PENALTY))

    def is_cold(self, user_index: Array, movie_index: Array) -> Array:
        """Whether the user or the movie of each pair is unknown or has no train row: (n,) bool."""
        cold_user = (user_index < 0) | (self.user_count[user_index] == 0)
        cold_movie = (movie_index < 0) | (self.movie_count[movie_index] == 0)
        return np.asarray(cold_user | cold_movie)
