"""Scores from a trained model: given pairs, whole users, and the errors on one side of a split.

A pair whose user or movie has no train row gets the bias model's score instead, an unknown bias
counting as 0; such pairs are counted. Scores are clipped to the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from bigrec.features import BatchSpec, UserRows
from bigrec.models.bias import Biases

Array = np.ndarray[Any, Any]

FALLBACK: Final = "the bias model (mean + user bias + movie bias, an unknown bias counting as 0)"
"""How a pair that the model cannot score is scored."""

_PAIRS_AT_ONCE = 1 << 13
_USERS_AT_ONCE = 512
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Errors:
    """Errors of scores, clipped to the scale, against ratings."""

    rmse: float
    """Root mean squared error, in stars."""
    mae: float
    """Mean absolute error, in stars."""
    n: int
    """Pairs scored."""
    n_fallback: int
    """Pairs among them that the fallback scored."""


class Recommender:
    """A trained model with all that it needs to score."""

    def __init__(
        self, model: keras.Model, inputs: str, rows: UserRows, spec: BatchSpec, biases: Biases
    ) -> None:
        self.model = model
        self.rows = rows
        self.spec = spec
        self.biases = biases
        self._takes_rows = inputs == "rows"
        self._call = tf.function(
            lambda *tensors: model(list(tensors), training=False), reduce_retracing=True
        )

    def score_pairs(self, user_index: Array, movie_index: Array) -> tuple[Array, Array]:
        """Score pairs.

        Args:
            user_index: (n,) int32; below 0 for an unknown user. Sorted input is fastest.
            movie_index: (n,) int32; below 0 for an unknown movie.

        Returns:
            (n,) float32 scores, clipped, and (n,) bool, whether the fallback gave them.
        """
        cold = self.biases.is_cold(user_index, movie_index)
        scores = self.biases.score_pairs(user_index, movie_index)
        warm = np.flatnonzero(~cold)
        score = self._score_by_rows if self._takes_rows else self._score_by_pairs
        scores[warm] = score(user_index[warm], movie_index[warm])
        return self.spec.clip(scores), cold

    def score_users(self, users: Array) -> Array:
        """Score every movie for some known users, unclipped: (n_users, n_movies) float32."""
        if self._takes_rows:
            return self._complete_rows(users)
        n_movies = self.spec.n_movies
        movie_index = np.tile(np.arange(n_movies, dtype=np.int32), len(users))
        user_index = np.repeat(users.astype(np.int32), n_movies)
        return self._score_by_pairs(user_index, movie_index).reshape(len(users), n_movies)

    def errors_on(self, side: UserRows) -> Errors:
        """Errors over all ratings of one side, streamed."""
        squares = absolutes = 0.0
        n_fallback = 0
        for user_index, movie_index, rating in side.pair_chunks(_ROWS_AT_ONCE):
            scores, cold = self.score_pairs(user_index, movie_index)
            difference = scores.astype(np.float64) - rating
            squares += float(np.square(difference).sum())
            absolutes += float(np.abs(difference).sum())
            n_fallback += int(cold.sum())
        n = side.n_rows
        return Errors(math.sqrt(squares / n), absolutes / n, n, n_fallback)

    def _score_by_pairs(self, user_index: Array, movie_index: Array) -> Array:
        scores = np.empty(len(user_index), np.float32)
        for start in range(0, len(scores), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            batch = (tf.constant(user_index[part]), tf.constant(movie_index[part]))
            scores[part] = self._call(*batch).numpy()[:, 0]
        return scores

    def _score_by_rows(self, user_index: Array, movie_index: Array) -> Array:
        scores = np.empty(len(user_index), np.float32)
        users, place = np.unique(user_index, return_inverse=True)
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], np.arange(len(users) + 1))
        for start in range(0, len(users), _USERS_AT_ONCE):
            stop = min(start + _USERS_AT_ONCE, len(users))
            completed = self._complete_rows(users[start:stop])
            pairs = order[ends[start] : ends[stop]]
            scores[pairs] = completed[place[pairs] - start, movie_index[pairs]]
        return scores

    def _complete_rows(self, users: Array) -> Array:
        taken = self.rows.take(users)
        dense = np.zeros((len(users), self.spec.n_movies), np.float32)
        dense[np.repeat(np.arange(len(users)), taken.lengths()), taken.movie_index] = taken.rating
        completed = self._call(tf.constant(users.astype(np.int32)), tf.constant(dense)).numpy()
        return np.asarray(completed)
