"""Fitting EASE: counting who likes two items, and inverting the counts where they stand.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019). With X the matrix of users
and items, 1 where a user has a positive rating of an item, the weights are

    P = (X'X + penalty I)⁻¹,   B = P / -diag(P) by columns, 0 on the diagonal,

which minimizes |X - XB|² + penalty |B|² among all B without a diagonal. One matrix of n_items²
float32 is all that is held: the counts are made in it, and each step leaves its result in place of
what it took.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.errors import ResourceError, SettingsError
from bigrec.models.list_measures import at_least
from bigrec.resources import Budget, Progress, format_bytes, pool
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

_ROWS_AT_ONCE: Final = 1 << 20
_ITEMS_AT_ONCE: Final = 256
_VALUE_BYTES: Final = 4
_REST_BYTES: Final = 224 << 20
"""What the process takes beside the matrix: libraries, a block of users, a block of scores."""


def fit_weights(
    rows: Rows, n_items: int, *, positive: float, penalty: float, budget: Budget, progress: Progress
) -> Array:
    """Find the weights: (n_items, n_items) float32; row i is what item i says of each item.

    Args:
        rows: the train subset.
        n_items: size of the item vocabulary.
        positive: the rating from which on a rating counts.
        penalty: added to the diagonal, above 0.
        budget: threads, and memory that the matrix must fit in.
        progress: told of counted ratings, then of the steps of the inversion.

    Raises:
        ResourceError: the matrix does not fit the budget.
        SettingsError: the penalty is so small that float32 cannot tell the matrix from one that has
            no inverse.
    """
    check_memory(n_items, budget)
    progress.start("counting pairs of items", rows.n_ratings, "ratings")
    matrix = count_pairs(rows, n_items, positive=positive, budget=budget, progress=progress)
    progress.start("inverting", 3, "steps")
    _invert(matrix, penalty, progress)
    return matrix


def check_memory(n_items: int, budget: Budget) -> None:
    """Make sure that the matrix fits.

    Raises:
        ResourceError: it does not.
    """
    needed, there = n_items**2 * _VALUE_BYTES, budget.memory_bytes - _REST_BYTES
    if needed <= there:
        return
    wanted = math.ceil((needed + _REST_BYTES) / (1 << 20))
    fitting = math.isqrt(max(there, 0) // _VALUE_BYTES)
    raise ResourceError(
        f"ease holds a weight for every two of {n_items:,} items, {format_bytes(needed)}; with "
        f"{format_bytes(_REST_BYTES)} for all else that is more than the budget of "
        f"{format_bytes(budget.memory_bytes)}",
        hint=f"give --memory {wanted}MiB, or make a split of at most {fitting:,} items with "
        "--min-item-ratings",
    )


def count_pairs(
    rows: Rows, n_items: int, *, positive: float, budget: Budget, progress: Progress
) -> Array:
    """Count the users with a positive rating of both items: (n_items, n_items) float32.

    Only the lower triangle, with the diagonal, is filled; the rest is 0. The counts are exact: they
    are made as whole numbers.

    Args:
        rows: by user.
        n_items: size of the item vocabulary.
        positive: the rating from which on a rating counts.
        budget: threads.
        progress: told of counted ratings.
    """
    counts = np.zeros((n_items, n_items), np.int32)
    # Users in blocks of so many ratings; one with more is a block of their own.
    first = 0
    with pool(budget.threads) as workers:
        while first < rows.n_rows:
            most = rows.indptr[first] + _ROWS_AT_ONCE
            last = max(int(np.searchsorted(rows.indptr, most, side="right")) - 1, first + 1)
            block = _positive_block(rows, first, last, positive)
            by_item = block.transposed(n_items)

            def count(start: int, block: Rows = block, by_item: Rows = by_item) -> None:
                _count(
                    by_item.indptr, by_item.column, block.indptr, block.column,
                    start, min(start + _ITEMS_AT_ONCE, n_items), counts,
                )  # fmt: skip

            # Each thread has rows of the matrix to itself; the last ones are the longest.
            list(workers.map(count, reversed(range(0, n_items, _ITEMS_AT_ONCE))))
            n_ratings = int(rows.indptr[last] - rows.indptr[first])
            progress.advance(n_ratings, n_ratings)
            first = last
    values = counts.view(np.float32)
    for item in range(n_items):
        values[item] = counts[item]
    return values


def _positive_block(rows: Rows, first: int, last: int, positive: float) -> Rows:
    start, stop = rows.indptr[first], rows.indptr[last]
    block = Rows(
        rows.indptr[first : last + 1] - start,
        np.array(rows.column[start:stop]),
        np.array(rows.rating[start:stop]),
    )
    return at_least(block, positive)


@compiled
def _count(by_item, user, indptr, item, first, last, counts):  # type: ignore[no-untyped-def]
    """Count for the items from `first` to `last`, exclusive, with those up to themselves."""
    for one in range(first, last):
        for position in range(by_item[one], by_item[one + 1]):
            u = user[position]
            for other in range(indptr[u], indptr[u + 1]):
                if item[other] > one:
                    break
                counts[one, item[other]] += 1


def _invert(matrix: Array, penalty: float, progress: Progress) -> None:
    """Turn the lower triangle of counts into the weights.

    Raises:
        SettingsError: see fit_weights.
    """
    from scipy.linalg import lapack  # late: who only scores does without

    n_items = len(matrix)
    diagonal = matrix.reshape(-1)[:: n_items + 1]
    diagonal += np.float32(penalty)
    # The lower triangle by rows is the upper one by columns, which is how LAPACK reads: no copy.
    factor, failed = lapack.spotrf(matrix.T, lower=0, clean=0, overwrite_a=1)
    progress.advance(1)
    if not failed:
        _, failed = lapack.spotri(factor, lower=0, overwrite_c=1)
    progress.advance(1)
    if failed or not (np.isfinite(diagonal) & (diagonal > 0)).all():
        raise SettingsError(
            f"with a penalty of {penalty:g} the weights cannot be told in float32",
            hint="give a greater one, such as --set penalty=500",
        )
    for start in range(0, n_items, _ITEMS_AT_ONCE):
        rows = slice(start, start + _ITEMS_AT_ONCE)
        square = matrix[rows, rows]
        square[:] = np.tril(square) + np.tril(square, -1).T
        matrix[rows, rows.stop :] = matrix[rows.stop :, rows].T
    matrix /= -diagonal.copy()
    diagonal[:] = 0
    progress.advance(1)
