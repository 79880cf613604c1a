"""A user's bias on one day, beside the one of all days: the temporal term of the bias model.

    score(u, m, day) = score(u, m) + day_bias[u, day]

On one day a user rates all that they rate some tenths of a star higher or lower than on others.
It is b_u,t of Koren, "Collaborative Filtering with Temporal Dynamics" (KDD 2009), the strongest of
its temporal terms. A model learns from ratings less their day bias, and does not know of days
itself. A day without train rows of the user has a bias of 0; so has a score without a day.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.compiled import compiled

if TYPE_CHECKING:
    from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

N_DAYS: Final = 1 << 16
"""Days since 1921 fit 16 bits."""
_ROWS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class DayBiases:
    """The biases of all users on all days of their train rows."""

    indptr: Array
    """(n_users + 1,) int64: the days of user u are indptr[u]:indptr[u + 1]."""
    day: Array
    """(n,) uint16, days since 1921, ascending for each user."""
    bias: Array
    """(n,) float32, in stars."""
    penalty: float
    """Ratings of a day at which its bias is half of their mean deviation, as the data told."""

    def of_pairs(self, user_index: Array, day: Array) -> Array:
        """The bias of each user on a day: (n,) float32.

        Args:
            user_index: (n,) int; below 0 for an unknown user.
            day: (n,) int, days since 1921; below 0 for an unknown one.
        """
        found = np.zeros(len(user_index), np.float32)
        user_index, day = user_index.astype(np.int32), day.astype(np.int32)
        _look_up(self.indptr, self.day, self.bias, user_index, day, found)
        return found

    def less_days(self, rows: Rows) -> Array:
        """The ratings of the train subset less their day bias, in stars: (n_rows,) float32.

        They are memory-mapped from a file without a name in the folder for temporary files
        (TMPDIR); where that is on a disk, the system decides what stays in memory.

        Args:
            rows: the train subset, with days.
        """
        assert rows.day is not None  # noqa: S101 - day biases come from rows with days
        edges = np.searchsorted(rows.indptr, np.arange(0, rows.n_ratings, _ROWS_AT_ONCE))
        with tempfile.TemporaryFile() as file:
            # Written, not mapped, so that a full disk is an error and no fault of memory.
            for first, last in itertools.pairwise((*edges.tolist(), rows.n_rows)):
                less = np.empty(rows.indptr[last] - rows.indptr[first], np.float32)
                _subtract(
                    self.indptr, self.day, self.bias, first, last, rows.indptr, rows.rating,
                    rows.day, less,
                )  # fmt: skip
                file.write(less.data)
            file.flush()
            return np.asarray(np.memmap(file, np.float32, "r"))


def list_days(indptr: Array, day: Array) -> tuple[Array, Array]:
    """The days on which each user has rows: indptr and day as in DayBiases.

    Args:
        indptr: (n_users + 1,) int64: rows of user u are indptr[u]:indptr[u + 1].
        day: (n_rows,) uint16.
    """
    counts = np.zeros(len(indptr), np.int64)
    _count_days(indptr, day, counts[1:])
    ends = np.cumsum(counts)
    days = np.empty(int(ends[-1]), np.uint16)
    _fill_days(indptr, day, ends, days)
    return ends, days


@compiled
def _count_days(indptr, day, counts):  # type: ignore[no-untyped-def]
    last_user = np.full(N_DAYS, -1, np.int64)
    for u in range(len(counts)):
        for row in range(indptr[u], indptr[u + 1]):
            counts[u] += last_user[day[row]] != u
            last_user[day[row]] = u


@compiled
def _fill_days(indptr, day, ends, days):  # type: ignore[no-untyped-def]
    last_user = np.full(N_DAYS, -1, np.int64)
    for u in range(len(indptr) - 1):
        position = ends[u]
        for row in range(indptr[u], indptr[u + 1]):
            if last_user[day[row]] != u:
                days[position] = day[row]
                position += 1
            last_user[day[row]] = u
        days[ends[u] : position].sort()


@compiled
def _look_up(indptr, days, bias, user_index, day, found):  # type: ignore[no-untyped-def]
    for pair in range(len(user_index)):
        if user_index[pair] < 0 or day[pair] < 0:
            continue
        end = indptr[user_index[pair] + 1]
        low, high = indptr[user_index[pair]], end
        while low < high:
            middle = (low + high) // 2
            if days[middle] < day[pair]:
                low = middle + 1
            else:
                high = middle
        if low < end and days[low] == day[pair]:
            found[pair] = bias[low]


@compiled
def _subtract(  # type: ignore[no-untyped-def]
    indptr, days, bias, first, last, row_indptr, rating, day, less
):
    """Fill `less` for the rows of the users from `first` to `last`, exclusive."""
    of_day = np.zeros(N_DAYS, np.float32)
    for u in range(first, last):
        for position in range(indptr[u], indptr[u + 1]):
            of_day[days[position]] = bias[position]
        for row in range(row_indptr[u], row_indptr[u + 1]):
            less[row - row_indptr[first]] = rating[row] - of_day[day[row]]
