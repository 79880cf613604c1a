"""What datasets and models share: names, dtypes, vocabulary sizes, and rows grouped by user.

Neither side needs to know where the numbers come from or go to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

USER_INDEX: Final = "user_index"
"""int32, dense and zero-based, of one split."""
ITEM_INDEX: Final = "item_index"
"""int32, dense and zero-based, of one split."""
RATING: Final = "rating"
"""float32, stars."""
PAIRS: Final = "pairs"
"""int64, a user_index, an item_index and a rating in one; see bigrec.schema."""
ROW_LENGTHS: Final = "row_lengths"
"""int32, ratings of each user of a batch of rows."""


@dataclass(frozen=True)
class BatchSpec:
    """The sizes and the scale that a model is built for."""

    n_users: int
    """Size of the user vocabulary."""
    n_items: int
    """Size of the item vocabulary."""
    mean_rating: float
    """Mean of the train subset, in stars."""
    min_rating: float
    """Lowest rating of the scale, in stars; predictions are clipped to it."""
    max_rating: float
    """Highest rating of the scale, in stars."""

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
    """(n,) float32, stars."""
    day: Array | None
    """(n,) uint16, days since 1970; None where they are not known."""


@dataclass(frozen=True)
class UserRows:
    """One subset of a split, grouped by user: a sparse user by item matrix in CSR form."""

    indptr: Array
    """(n_users + 1,) int64: rows of user u are indptr[u]:indptr[u + 1]."""
    item_index: Array
    """(n_rows,) int32, ascending for each user."""
    rating: Array
    """(n_rows,) float32, stars."""
    day: Array | None = None
    """(n_rows,) uint16, days since 1970; None where they are not known."""

    @property
    def n_users(self) -> int:
        """Number of users, those without a row included."""
        return len(self.indptr) - 1

    @property
    def n_rows(self) -> int:
        """Number of ratings."""
        return len(self.item_index)

    def lengths(self) -> Array:
        """Ratings of each user: (n_users,) int64."""
        return np.diff(self.indptr)

    def take(self, users: Array) -> UserRows:
        """The rows of these users, in their order."""
        lengths = self.indptr[users + 1] - self.indptr[users]
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(self.indptr[users] - indptr[:-1], lengths) + np.arange(indptr[-1])
        day = None if self.day is None else self.day[places]
        return UserRows(indptr, self.item_index[places], self.rating[places], day)

    def transposed(self, n_items: int) -> UserRows:
        """The same ratings by item, without days: a row for each item, its users ascending."""
        from scipy.sparse import csr_array  # late: most readers of rows do without SciPy

        # SciPy makes all indices as wide as the widest.
        width = np.int32 if self.n_rows <= np.iinfo(np.int32).max else np.int64
        by_item = csr_array(
            (self.rating, self.item_index, self.indptr.astype(width)),
            shape=(self.n_users, n_items),
        ).tocsc()
        return UserRows(
            by_item.indptr.astype(np.int64), by_item.indices.astype(np.int32), by_item.data
        )

    def sample_users(self, n_rows: int, seed: int) -> Array:
        """Users drawn at random until they have about n_rows rows: (n,) int64, ascending.

        Users without a row are never drawn.
        """
        lengths = self.lengths()
        users = np.random.default_rng(seed).permutation(np.flatnonzero(lengths))
        enough = int(np.searchsorted(np.cumsum(lengths[users]), n_rows)) + 1
        return np.sort(users[:enough])

    def pair_chunks(self, n_rows: int) -> Iterator[Pairs]:
        """All rows in order, n_rows at a time."""
        for start in range(0, self.n_rows, n_rows):
            stop = min(start + n_rows, self.n_rows)
            places = np.arange(start, stop)
            user_index = (np.searchsorted(self.indptr, places, side="right") - 1).astype(np.int32)
            yield Pairs(
                user_index,
                np.asarray(self.item_index[start:stop]),
                np.asarray(self.rating[start:stop]),
                None if self.day is None else np.asarray(self.day[start:stop]),
            )


def join_rows(subsets: Sequence[UserRows]) -> UserRows:
    """The rows of several subsets, user by user, without days; items of a user in no order.

    Args:
        subsets: at least one, of the same users.
    """
    user = np.concatenate(
        [np.repeat(np.arange(subset.n_users), subset.lengths()) for subset in subsets]
    )
    order = np.argsort(user, kind="stable")
    return UserRows(
        np.concatenate(([0], np.cumsum(sum(subset.lengths() for subset in subsets)))),
        np.concatenate([subset.item_index for subset in subsets])[order],
        np.concatenate([subset.rating for subset in subsets])[order],
    )
