"""Rows of ratings with all that their similarities are made of, and the lists of who is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bigrec.models.knn.kernels import (
    BaseLevels,
    Norms,
    Sparse,
    Terms,
    count_columns,
    sparse,
    sum_squares,
)
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Neighbors:
    """The nearest neighbors of some rows, most similar first, equal ones by index."""

    index: Array
    """(n_rows, k) int32; -1 where there are fewer than k neighbors of positive similarity."""
    similarity: Array
    """(n_rows, k) float64; 0 beside an index of -1."""


@dataclass(frozen=True)
class Profiles:
    """Sparse rows with all that their similarities are made of."""

    ratings: Sparse
    """The rows."""
    levels: BaseLevels
    """What the ratings are counted from."""
    norms: Norms
    """What similarities need of each row."""
    terms: Terms
    """What similarities are made of."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.levels.row)

    @property
    def needs_counts(self) -> bool:
        """Whether similarities depend on the number of common columns."""
        return self.terms.support > 0 or self.terms.co_rating > 0

    def take(self, rows: Array) -> Profiles:
        """The profiles of these rows, in their order."""
        taken = Rows(*self.ratings).take(rows)
        return Profiles(
            sparse(taken.indptr, taken.column, taken.rating),
            BaseLevels(self.levels.row[rows], self.levels.column),
            Norms(*(values[rows] for values in self.norms)),
            self.terms,
        )


def profile_rows(
    ratings: Sparse, levels: BaseLevels, *, filled: bool, support: float = 0, co_rating: float = 0,
    n_columns: int | None = None,
) -> Profiles:  # fmt: skip
    """The profiles of all rows of a matrix, as in users over items.

    Args:
        ratings: the rows.
        levels: what ratings are counted from. Filled rows ask for the row's mean and 0 for columns.
        filled: whether rows are filled with levels.row.
        support: common columns at which a cosine counts half.
        co_rating: weight of the correlation of rated-or-not.
        n_columns: M; by default the number of columns with a rating, as the notebook's pivot has.
    """
    counts = count_columns(ratings, len(levels.column))
    by_row, by_column = np.zeros(len(levels.row)), np.zeros(len(levels.column))
    sum_squares(ratings, levels, by_row, by_column)
    n = n_columns or int((counts > 0).sum())
    norms = _norms(np.diff(ratings.indptr), by_row, levels.row if filled else None, n)
    return Profiles(ratings, levels, norms, Terms(float(support), float(co_rating), float(n)))


def profile_columns(
    ratings: Sparse, levels: BaseLevels, *, filled: bool, support: float = 0, co_rating: float = 0
) -> Profiles:
    """The profiles of all columns of a matrix, as in items over users.

    Args are those of `profile_rows`, seen from the matrix. The `ratings` of the result are still
    the matrix by row, so that no transposed copy is needed: what `find_column_neighbors` takes.
    """
    counts = count_columns(ratings, len(levels.column))
    by_row, by_column = np.zeros(len(levels.row)), np.zeros(len(levels.column))
    sum_squares(ratings, levels, by_row, by_column)
    n = int((np.diff(ratings.indptr) > 0).sum())
    norms = _norms(counts, by_column, levels.column if filled else None, n)
    turned = BaseLevels(levels.column, levels.row)
    return Profiles(ratings, turned, norms, Terms(float(support), float(co_rating), float(n)))


def _norms(length: Array, squares: Array, fill: Array | None, n_columns: int) -> Norms:
    share = length / n_columns
    deviation = np.sqrt(share * (1 - share))
    contrast = np.divide(1, deviation, out=np.zeros(len(share)), where=deviation > 0)
    known = length > 0
    if fill is None:
        level = np.zeros(len(length))
        norm = np.sqrt(squares)
        scale = np.divide(1, norm, out=np.zeros(len(length)), where=norm > 0)
    else:
        # Exactly 1 for a row without deviations, so that such rows tie exactly.
        fill = np.where(known, fill, 1)
        level = np.where(known, 1 / np.sqrt(1 + squares / (n_columns * fill**2)), 0)
        scale = level / (np.sqrt(n_columns) * fill)
    return Norms(level, scale, np.sqrt(squares) * scale, length.astype(np.int64), share, contrast)
