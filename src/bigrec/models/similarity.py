"""Which items are alike: by vectors, by lists of neighbors, or by who rated them how."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from bigrec.models.baseline.bias import Biases
from bigrec.models.scoring import check_finite
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

ITEM_VECTORS: Final = "item_vectors"
"""The name of a run's array of item vectors: (n_items, size) float32."""

NEIGHBOR_INDEX: Final = "neighbor_index"
"""The name of a run's array of the nearest items (or users) of each: (n, k) int32, -1: none."""
NEIGHBOR_SIMILARITY: Final = "neighbor_similarity"
"""The name of the array of their similarities: (n, k) float32."""

_ROWS_AT_ONCE: Final = 1 << 20
_USERS_AT_ONCE: Final = 1 << 12
_SHRINKAGE: Final = 50.0


class ItemSimilarity(Protocol):
    """Something that compares items."""

    def compare(self, item: int) -> Array:
        """The similarity of one item, by its index, to every item: (n_items,) float64.

        Higher is nearer; 0 where nothing is known.
        """


class VectorSimilarity:
    """Cosines of the vectors that a model has of its items."""

    def __init__(self, vectors: Array) -> None:
        """Take the vectors: (n_items, size) float32.

        Raises:
            RunError: one of their values is no finite number.
        """
        check_finite(vectors)
        self._vectors = unit_rows(vectors.astype(np.float64))

    def compare(self, item: int) -> Array:
        """Cosines of one item's vector with all."""
        return np.asarray(self._vectors @ self._vectors[item])


class ListSimilarity:
    """Similarities as a search for neighbors found them; 0 to items that no list holds."""

    def __init__(self, index: Array, similarity: Array) -> None:
        """Take the lists: (n_items, k) int32 and float32."""
        self._index, self._similarity = index, similarity

    def compare(self, item: int) -> Array:
        """One item's list, spread over all items."""
        real = self._index[item] >= 0
        compared = np.zeros(len(self._index))
        compared[self._index[item][real]] = self._similarity[item][real]
        return compared


class RatingSimilarity:
    """Cosines of items over their users' deviations from the bias model, shrunk by support.

    s(m, n) = cos(d_m, d_n) · common / (common + 50), with common the users who rated both: Koren,
    "Factor in the Neighbors" (TKDD 4(1), 2010), equation 2, with cosines of bias residuals.
    """

    def __init__(self, rows: Rows, biases: Biases) -> None:
        """Take the train subset and its bias model."""
        self._rows, self._biases = rows, biases

    def compare(self, item: int) -> Array:
        """Cosines of one item's column with all, in time of its raters' ratings."""
        positions = np.flatnonzero(self._rows.column == item)
        raters = np.searchsorted(self._rows.indptr, positions, side="right") - 1
        n_items = len(self._biases.item)
        dots, common = np.zeros(n_items), np.zeros(n_items)
        for start in range(0, len(raters), _USERS_AT_ONCE):
            users = raters[start : start + _USERS_AT_ONCE]
            taken = self._rows.take(users)
            deviations = self._deviations(
                np.repeat(users, taken.lengths()), taken.column, taken.rating, taken.day
            )
            own = deviations[taken.column == item]  # one a user, in order
            dots += np.bincount(taken.column, np.repeat(own, taken.lengths()) * deviations, n_items)
            common += np.bincount(taken.column, minlength=n_items)
        norms = self._norms[item] * self._norms
        cosines = np.divide(dots, norms, out=np.zeros(n_items), where=norms > 0)
        return np.asarray(cosines * common / (common + _SHRINKAGE))

    @cached_property
    def _norms(self) -> Array:
        squares = np.zeros(len(self._biases.item))
        for user, item, rating, day in self._rows.pair_chunks(_ROWS_AT_ONCE):
            deviations = self._deviations(user, item, rating, day)
            squares += np.bincount(item, np.square(deviations), len(squares))
        return np.sqrt(squares)

    def _deviations(self, user: Array, item: Array, rating: Array, day: Array | None) -> Array:
        expected = self._biases.score_pairs(user, item) + self._biases.of_days(user, day)
        return np.asarray(rating - expected, np.float64)


class PositiveSimilarity:
    """Cosines of items over who has a positive rating of them, shrunk by support.

    s(m, n) = common / sqrt(n_m n_n) · common / (common + 50), with n_m the users who have one of m.
    """

    def __init__(self, rows: Rows, n_items: int, positive: float) -> None:
        """Take the train subset, and the rating from which on a rating is positive."""
        self._rows, self._n_items, self._positive = rows, n_items, positive

    def compare(self, item: int) -> Array:
        """Cosines of one item's column with all, in time of the ratings of its users."""
        found = self._rows.column == item
        positions = np.flatnonzero(found & (self._rows.rating >= self._positive))
        users = np.searchsorted(self._rows.indptr, positions, side="right") - 1
        common = np.zeros(self._n_items)
        for start in range(0, len(users), _USERS_AT_ONCE):
            common += self._count(self._rows.take(users[start : start + _USERS_AT_ONCE]))
        norms = np.sqrt(len(users) * self._counts)
        cosines = np.divide(common, norms, out=np.zeros(self._n_items), where=norms > 0)
        return np.asarray(cosines * common / (common + _SHRINKAGE))

    @cached_property
    def _counts(self) -> Array:
        counts = np.zeros(self._n_items)
        for _, item, rating, _ in self._rows.pair_chunks(_ROWS_AT_ONCE):
            counts += np.bincount(item[rating >= self._positive], minlength=self._n_items)
        return counts

    def _count(self, rows: Rows) -> Array:
        liked = rows.column[rows.rating >= self._positive]
        return np.bincount(liked, minlength=self._n_items)


def unit_rows(vectors: Array) -> Array:
    """The rows at length 1; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0))
