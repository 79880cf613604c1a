"""What datasets and models share: names, dtypes, vocabulary sizes, and rows of ratings.

Neither side needs to know where the numbers come from or go to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from bigrec.interactions import EXPLICIT, IMPLICIT, STARS, error_unit

Array = np.ndarray[Any, Any]

_RELEVANT_STARS, _RELEVANT_SHARE = 4.0, 0.75

USER_INDEX: Final = "user_index"
"""int32, dense and zero-based, of one split."""
ITEM_INDEX: Final = "item_index"
"""int32, dense and zero-based, of one split."""
RATING: Final = "rating"
"""float32, on the scale."""
PAIRS: Final = "pairs"
"""int64, a user_index, an item_index and a rating in one; see bigrec.interactions."""
ROW_LENGTHS: Final = "row_lengths"
"""int32, ratings of each user of a batch of rows."""


@dataclass(frozen=True)
class DataSpec:
    """The sizes and the scale that a model is built for."""

    n_users: int
    """Size of the user vocabulary."""
    n_items: int
    """Size of the item vocabulary."""
    mean_rating: float
    """Mean of the train subset."""
    min_rating: float
    """Lowest rating of the scale; predictions are clipped to it."""
    max_rating: float
    """Highest rating of the scale."""
    feedback: str = EXPLICIT
    """What a rating says; see bigrec.interactions."""

    @property
    def unit(self) -> str:
        """What errors are counted in, for people."""
        return error_unit(self.min_rating, self.max_rating)

    @property
    def relevant(self) -> float:
        """The rating from which on an item is relevant, unless somebody says another.

        4 of 5 stars, and as far up on another scale; every rating of implicit feedback.
        """
        if self.feedback == IMPLICIT:
            return self.min_rating
        if self.unit == STARS:
            return _RELEVANT_STARS
        return self.min_rating + _RELEVANT_SHARE * (self.max_rating - self.min_rating)

    def clip(self, scores: Array) -> Array:
        """Scores within the scale."""
        return np.clip(scores, self.min_rating, self.max_rating)


class Pairs(NamedTuple):
    """Some ratings with their users and items."""

    user_index: Array
    """(n,) int32."""
    item_index: Array
    """(n,) int32."""
    rating: Array
    """(n,) float32."""
    day: Array | None
    """(n,) uint16, days since 1921; None where they are not known."""


@dataclass(frozen=True)
class Rows:
    """A sparse matrix of ratings in CSR form.

    A subset of a split is one whose rows are users and whose columns are items; `transposed` turns
    it round.
    """

    indptr: Array
    """(n_rows + 1,) int64: the ratings of row r are indptr[r]:indptr[r + 1]."""
    column: Array
    """(n_ratings,) int32, ascending within a row."""
    rating: Array
    """(n_ratings,) float32."""
    day: Array | None = None
    """(n_ratings,) uint16, days since 1921; None where they are not known."""

    @property
    def n_rows(self) -> int:
        """Rows, those without a rating included."""
        return len(self.indptr) - 1

    @property
    def n_ratings(self) -> int:
        """Ratings."""
        return len(self.column)

    def lengths(self) -> Array:
        """Ratings of each row: (n_rows,) int64."""
        return np.diff(self.indptr)

    def take(self, rows: Array) -> Rows:
        """Some of the rows, in the order given.

        Args:
            rows: (n,) int, which.
        """
        lengths = self.indptr[rows + 1] - self.indptr[rows]
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        positions = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        day = None if self.day is None else self.day[positions]
        return Rows(indptr, self.column[positions], self.rating[positions], day)

    def transposed(self, n_columns: int) -> Rows:
        """The same ratings by column, without days; what were rows ascends in each.

        Args:
            n_columns: columns, those without a rating included.
        """
        from scipy.sparse import csr_array  # late: most readers of rows do without SciPy

        # SciPy makes all indices as wide as the widest.
        width = np.int32 if self.n_ratings <= np.iinfo(np.int32).max else np.int64
        turned = csr_array(
            (self.rating, self.column, self.indptr.astype(width)), shape=(self.n_rows, n_columns)
        ).tocsc()
        return Rows(turned.indptr.astype(np.int64), turned.indices.astype(np.int32), turned.data)

    def sample_rows(self, n_ratings: int, seed: int) -> Array:
        """Rows drawn at random until they have about so many ratings: (n,) int64, ascending.

        Rows without a rating are never drawn.

        Args:
            n_ratings: how many are wanted.
            seed: of the draw.
        """
        lengths = self.lengths()
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(lengths))
        enough = int(np.searchsorted(np.cumsum(lengths[rows]), n_ratings)) + 1
        return np.sort(rows[:enough])

    def pair_chunks(self, n_ratings: int) -> Iterator[Pairs]:
        """All ratings in order, with their users and items, so many at a time."""
        for start in range(0, self.n_ratings, n_ratings):
            stop = min(start + n_ratings, self.n_ratings)
            positions = np.arange(start, stop)
            row = (np.searchsorted(self.indptr, positions, side="right") - 1).astype(np.int32)
            yield Pairs(
                row,
                np.asarray(self.column[start:stop]),
                np.asarray(self.rating[start:stop]),
                None if self.day is None else np.asarray(self.day[start:stop]),
            )


def join_rows(subsets: Sequence[Rows]) -> Rows:
    """The rows of several subsets, one after the other, without days; columns in no order.

    Args:
        subsets: at least one, of the same users.
    """
    row = np.concatenate(
        [np.repeat(np.arange(subset.n_rows), subset.lengths()) for subset in subsets]
    )
    order = np.argsort(row, kind="stable")
    return Rows(
        np.concatenate(([0], np.cumsum(sum(subset.lengths() for subset in subsets)))),
        np.concatenate([subset.column for subset in subsets])[order],
        np.concatenate([subset.rating for subset in subsets])[order],
    )
