"""The compiled inner loops of the neighbor search; `neighbors` says what they compute and why.

Two rules hold everywhere here. A similarity is one float64 expression of the pair, summed over the
common columns in ascending order, so every way of finding it gives the same bits. A list is in
descending order of similarity, equal ones by index, so the order of discovery does not matter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bigrec.compiled import compiled, inlined_part

Array = np.ndarray[Any, Any]

STRIP_ROWS = 32
_RUN = 64
_UNIT_ROUNDOFF = 2.0**-24


class Sparse(NamedTuple):
    """A sparse matrix of ratings in CSR form; row r holds the places indptr[r]:indptr[r + 1]."""

    indptr: Array
    """(n_rows + 1,) int64."""
    column: Array
    """(n_ratings,) int32, ascending within a row."""
    rating: Array
    """(n_ratings,) float32, stars."""


def read_only(array: Array) -> Array:
    """A plain read-only view, so that kernels compile for one type only."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def sparse(indptr: Array, column: Array, rating: Array) -> Sparse:
    """A Sparse of read-only views of these arrays."""
    return Sparse(read_only(indptr), read_only(column), read_only(rating))


class BaseLevels(NamedTuple):
    """What ratings are counted from: deviation = (rating - row[r]) - column[c]."""

    row: Array
    """(n_rows,) float64, stars."""
    column: Array
    """(n_columns,) float64, stars."""


class Norms(NamedTuple):
    """What a similarity needs to know of each row, next to its deviations."""

    level: Array
    """(n_rows,) float64: part of the row's length along the vector of ones; 0 if not filled."""
    scale: Array
    """(n_rows,) float64: one over the length of the row, by which deviations are multiplied."""
    spread: Array
    """(n_rows,) float64: length of the deviations once scaled."""
    length: Array
    """(n_rows,) int64: ratings of the row."""
    share: Array
    """(n_rows,) float64: ratings over columns."""
    contrast: Array
    """(n_rows,) float64: one over the standard deviation of the row's rated-or-not."""


class Terms(NamedTuple):
    """What a similarity is made of, beside the cosine."""

    support: float
    """Common columns at which a cosine counts half; 0 takes it as it is."""
    co_rating: float
    """Weight of the correlation of rated-or-not."""
    n_columns: float
    """Columns that have ratings."""


@inlined_part
def _similarity(cosine, n_common, one, other, norms, others, terms):  # type: ignore[no-untyped-def]
    if terms.support > 0:
        cosine *= n_common / (n_common + terms.support)
    if terms.co_rating > 0:
        together = n_common / terms.n_columns - norms.share[one] * others.share[other]
        cosine += terms.co_rating * (together * (norms.contrast[one] * others.contrast[other]))
    return cosine


@inlined_part
def _insert(index, similarity, new_index, new_similarity):  # type: ignore[no-untyped-def]
    """Put an element that beats the last one into its place, unless it is there already."""
    low, high = 0, len(index) - 1
    while low < high:
        middle = (low + high) // 2
        value = similarity[middle]
        if value > new_similarity or (value == new_similarity and index[middle] < new_index):
            low = middle + 1
        else:
            high = middle
    if index[low] == new_index:
        return
    for position in range(len(index) - 1, low, -1):
        index[position] = index[position - 1]
        similarity[position] = similarity[position - 1]
    index[low] = new_index
    similarity[low] = new_similarity


@compiled
def count_columns(ratings, n_columns):  # type: ignore[no-untyped-def]
    """Ratings of each column: (n_columns,) int64. np.bincount would copy the columns first."""
    counts = np.zeros(n_columns, np.int64)
    for column in ratings.column:
        counts[column] += 1
    return counts


@compiled
def sum_ratings(ratings, by_row, by_column):  # type: ignore[no-untyped-def]
    """Add the ratings up, by row and by column."""
    for row in range(len(ratings.indptr) - 1):
        for position in range(ratings.indptr[row], ratings.indptr[row + 1]):
            by_row[row] += ratings.rating[position]
            by_column[ratings.column[position]] += ratings.rating[position]


@compiled
def sum_squares(ratings, levels, by_row, by_column):  # type: ignore[no-untyped-def]
    """Add the squared deviations up, by row and by column."""
    for row in range(len(ratings.indptr) - 1):
        for position in range(ratings.indptr[row], ratings.indptr[row + 1]):
            column = ratings.column[position]
            deviation = (ratings.rating[position] - levels.row[row]) - levels.column[column]
            by_row[row] += deviation * deviation
            by_column[column] += deviation * deviation


@compiled
def fill_tile(ratings, levels, scale, first, tile, mask):  # type: ignore[no-untyped-def]
    """Write scaled deviations, and ones where there is a rating, of rows from `first` on.

    Args:
        tile: (n, n_columns) float32; mask: likewise, or without rows if it is not wanted.
    """
    tile[:] = 0
    mask[:] = 0
    for row in range(first, first + len(tile)):
        for position in range(ratings.indptr[row], ratings.indptr[row + 1]):
            column = ratings.column[position]
            deviation = (ratings.rating[position] - levels.row[row]) - levels.column[column]
            tile[row - first, column] = deviation * scale[row]
            if len(mask):
                mask[row - first, column] = 1


@compiled
def select_from_tile(  # type: ignore[no-untyped-def]
    dots, counts, flipped, start, stop, first, first_other, same,
    ratings, levels, norms, other_ratings, other_levels, other_norms, terms, index, similarity,
):  # fmt: skip
    """Take the rows of a tile of float32 products, and insert who may be near into their lists.

    |float32 product - b_u . b_v| <= (n + 3) 2^-24 |b_u| |b_v| where n terms are not zero and both
    vectors were rounded to float32 (Higham, "Accuracy and Stability of Numerical Algorithms", 3.1);
    the bound takes the ratings of u for n. Whoever could reach the last of a list by that bound is
    computed again in float64.

    Args:
        dots: (n, n_others) float32 products of scaled deviations, or (n_others, n) if `flipped`.
        counts: numbers of common columns, likewise; empty if no term needs them.
        start, stop: rows of the tile to take.
        first, first_other: index of the tile's first row and first other.
        same: whether rows and others are the same set, so that nobody finds themselves.
        index, similarity: the lists of all rows, (n_rows, k).
    """
    n_others = dots.shape[0] if flipped else dots.shape[1]
    counted = len(counts) > 0
    strip = np.empty((STRIP_ROWS, n_others), np.float32)
    strip_counts = np.empty((STRIP_ROWS if counted else 0, n_others), np.float32)
    k = index.shape[1]
    upper, lower = np.empty(n_others), np.empty(n_others)
    # Slices from 0 on, whose loops the compiler turns into vector instructions.
    level_of = other_norms.level[first_other : first_other + n_others]
    # The addition covers the rounding of float64 itself; a row without deviations makes no error.
    spreads = other_norms.spread[first_other : first_other + n_others].copy()
    for other in range(n_others):
        spreads[other] += 1e-6 if spreads[other] > 0 else 0.0
    dense = np.zeros(len(levels.column))
    rated = np.zeros(len(levels.column), np.bool_)
    for begin in range(start, stop, STRIP_ROWS):
        end = min(begin + STRIP_ROWS, stop)
        _copy_strip(dots, flipped, begin, end, strip)
        if counted:
            _copy_strip(counts, flipped, begin, end, strip_counts)
        for row in range(first + begin, first + end):
            line = row - first - begin
            margin = 1.01 * _UNIT_ROUNDOFF * (norms.length[row] + 3) * norms.spread[row]
            level = norms.level[row]
            products = strip[line]
            for other in range(n_others):
                upper[other] = level * level_of[other] + products[other] + margin * spreads[other]
            if counted:
                for other in range(n_others):
                    upper[other] = _similarity(
                        upper[other], strip_counts[line, other], row, first_other + other,
                        norms, other_norms, terms,
                    )  # fmt: skip
            filled = False
            last = similarity[row, -1]
            bound = last
            n_hits = 0
            for other in range(n_others):
                n_hits += upper[other] >= last
            if n_hits > 2 * k and not counted:
                # Too many to compare: k of them (and the row itself) are above this for certain.
                for other in range(n_others):
                    lower[other] = upper[other] - 2 * margin * spreads[other]
                bound = max(last, np.partition(lower, n_others - k - 1)[n_others - k - 1])
            for run in range(0, n_others, _RUN):
                part = upper[run : run + _RUN]
                n_hits = 0
                for position in range(len(part)):
                    n_hits += part[position] >= bound
                if n_hits == 0:
                    continue
                for position in range(len(part)):
                    candidate = first_other + run + position
                    if part[position] < bound or (same and candidate == row):
                        continue
                    if part[position] == last and candidate > index[row, -1]:
                        continue
                    if not filled:
                        filled = True
                        _fill_row(ratings, levels, row, dense, rated)
                    value = _exact(
                        dense, rated, row, candidate,
                        norms, other_ratings, other_levels, other_norms, terms,
                    )  # fmt: skip
                    if value > last or (value == last and candidate < index[row, -1]):
                        _insert(index[row], similarity[row], candidate, value)
                        last = similarity[row, -1]
                        bound = max(bound, last)
            if filled:
                for position in range(ratings.indptr[row], ratings.indptr[row + 1]):
                    dense[ratings.column[position]] = 0
                    rated[ratings.column[position]] = False


@inlined_part
def _copy_strip(tile, flipped, begin, end, strip):  # type: ignore[no-untyped-def]
    if flipped:
        # A few others at a time, whose lines of the tile stay in the cache until all rows are read.
        for first in range(0, tile.shape[0], 16):
            part = tile[first : first + 16, begin:end]
            for row in range(end - begin):
                for other in range(len(part)):
                    strip[row, first + other] = part[other, row]
    else:
        strip[: end - begin] = tile[begin:end]


@inlined_part
def _fill_row(ratings, levels, row, dense, rated):  # type: ignore[no-untyped-def]
    for position in range(ratings.indptr[row], ratings.indptr[row + 1]):
        column = ratings.column[position]
        dense[column] = (ratings.rating[position] - levels.row[row]) - levels.column[column]
        rated[column] = True


@inlined_part
def _exact(  # type: ignore[no-untyped-def]
    dense, rated, row, other, norms, other_ratings, other_levels, other_norms, terms
):
    total, n_common = 0.0, 0
    counted = terms.support > 0 or terms.co_rating > 0
    for position in range(other_ratings.indptr[other], other_ratings.indptr[other + 1]):
        column = other_ratings.column[position]
        deviation = (
            other_ratings.rating[position] - other_levels.row[other]
        ) - other_levels.column[column]
        total += dense[column] * deviation
        if counted:
            n_common += rated[column]
    cosine = (
        norms.level[row] * other_norms.level[other]
        + (norms.scale[row] * other_norms.scale[other]) * total
    )
    return _similarity(cosine, n_common, row, other, norms, other_norms, terms)


@compiled
def select_from_products(  # type: ignore[no-untyped-def]
    block, first, start, stop, by_column, levels, norms, terms, index, similarity
):
    """Multiply sparse rows with all others, column by column, and fill their lists.

    Args:
        block: the ratings of rows from `first` on.
        start, stop: rows of the block to take.
        by_column: the same ratings by column; its `column` is the row here.
        index, similarity: the lists of all rows, (n_rows, k).
    """
    n_rows = len(norms.level)
    totals = np.zeros(n_rows)
    n_common = np.zeros(n_rows, np.int32)
    for line in range(start, stop):
        row = first + line
        for position in range(block.indptr[line], block.indptr[line + 1]):
            column = block.column[position]
            base = levels.column[column]
            deviation = (block.rating[position] - levels.row[row]) - base
            for other_position in range(by_column.indptr[column], by_column.indptr[column + 1]):
                other = by_column.column[other_position]
                totals[other] += deviation * (
                    (by_column.rating[other_position] - levels.row[other]) - base
                )
                n_common[other] += 1
        for other in range(n_rows):
            cosine = (
                norms.level[row] * norms.level[other]
                + (norms.scale[row] * norms.scale[other]) * totals[other]
            )
            value = _similarity(cosine, n_common[other], row, other, norms, norms, terms)
            last = similarity[row, -1]
            if other != row and (value > last or (value == last and other < index[row, -1])):
                _insert(index[row], similarity[row], other, value)
            totals[other] = 0
            n_common[other] = 0


@compiled
def transpose(ratings, first, indptr, column, rating):  # type: ignore[no-untyped-def]
    """Fill the transposed rows of columns from `first` on, whose `indptr` is known."""
    ends = indptr[:-1].copy()
    last = first + len(ends)
    for row in range(len(ratings.indptr) - 1):
        low, high = ratings.indptr[row], ratings.indptr[row + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if ratings.column[middle] < first:
                low = middle + 1
            else:
                high = middle
        while low < end and ratings.column[low] < last:
            position = ends[ratings.column[low] - first]
            column[position] = row
            rating[position] = ratings.rating[low]
            ends[ratings.column[low] - first] += 1
            low += 1
