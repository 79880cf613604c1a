"""Prior means of factors, from who rated what: the implicit terms of matrix factorisation.

The rows of both factor tables are drawn towards means that the train side's pairs explain,

    z_u = |N(u)|^-1/2 · sum of y_m over the movies that u rated,
    z_m = |N(m)|^-1/2 · sum of x_u over the users who rated m,

instead of towards 0. With p_u = z_u + deviation this is SVD++ (Koren, "Factorization Meets the
Neighborhood", KDD 2008), on both sides as in Rendle, Zhang, Koren, "On the Difficulty of Evaluating
Baselines" (2019), with the same objective and the same optimum. Kept as a prior, its sums are
computed once an epoch rather than once a rating: steps cost little more than without, and the
trained model is an ordinary factorisation.

Between epochs y and x are refitted to the factors by ridge regression, a few conjugate-gradient
rounds from where they stood.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numba
import numpy as np
import tensorflow as tf

from bigrec.features import UserRows
from bigrec.models.bias import Biases
from bigrec.models.matrix_factorization import FactorOptions
from bigrec.resources import map_in_order

Array = np.ndarray[Any, Any]
Product = Callable[[Array], Array]

_ROUNDS: Final = 3
_PARTS: Final = 8
"""Parts of a product, fixed so that sums come out alike on any number of threads."""


class FactorPenalty:
    """The L2 penalty on rows of both factor tables: of their distance from 0 or from prior means.

    A rating costs l2 · n^-power · |row - mean|^2 for each of its two rows, n being the row's train
    ratings.
    """

    def __init__(self, rows: UserRows, biases: Biases, options: FactorOptions) -> None:
        """Take the train side, its counts, and row_l2, row_l2_power and implicit_l2."""
        weights = [
            (options.row_l2 * np.maximum(counts, 1.0) ** -options.row_l2_power).astype(np.float32)
            for counts in (biases.user_count, biases.movie_count)
        ]
        self._weights = [tf.Variable(weight, trainable=False) for weight in weights]
        self._priors: list[PriorMeans] = []
        if options.implicit_l2:
            self._priors = [
                PriorMeans(side, options.embedding_size, penalty=weight, l2=options.implicit_l2)
                for side, weight in zip(both_sides(rows, len(biases.movie)), weights, strict=True)
            ]
        self.variables = [variable for prior in self._priors for variable in prior.variables]

    def loss(self, user: Any, movie: Any, user_rows: Any, movie_rows: Any) -> Any:
        """The mean over a batch, a scalar: (batch,) indices and (batch, size) rows."""
        total = 0.0
        indices, rows = (user, movie), (user_rows, movie_rows)
        for side, (index, row) in enumerate(zip(indices, rows, strict=True)):
            if self._priors:
                row -= tf.gather(self._priors[side].means, index)
            weight = tf.gather(self._weights[side], index)
            total += tf.reduce_mean(weight * tf.reduce_sum(tf.square(row), axis=-1))
        return total

    def end_epoch(self, user_factors: Any, movie_factors: Any) -> None:
        """Refit the means to (n_users, size) and (n_movies, size)."""
        for prior, factors in zip(self._priors, (user_factors, movie_factors), strict=False):
            prior.refit(factors)


class PriorMeans:
    """The prior rows of one table, and the implicit terms that they are made of."""

    def __init__(self, side: Side, size: int, *, penalty: Array, l2: float) -> None:
        """Start with all means at 0.

        Args:
            side: whose table it is.
            size: factors of a row.
            penalty: of a row's squared distance from its mean, a rating: (n,) float32.
            l2: penalty of a term, a rating.
        """
        self._side, self._penalty, self._l2 = side, penalty, l2
        self.means = tf.Variable(tf.zeros((len(side.counts), size)), name="prior_means")
        self._terms = tf.Variable(tf.zeros((len(side.term_counts), size)), name="implicit_terms")
        self.variables = [self.means, self._terms]

    def refit(self, factors: Any) -> None:
        """Fit the means to the rows of the table: (n, size)."""
        side = self._side
        root = np.sqrt(side.counts)[:, None]
        fitted = _fit_ridge(
            side.spread, side.collect, self._penalty, root * factors.numpy(),
            self._l2 * side.term_counts, self._terms.numpy(),
        )  # fmt: skip
        self._terms.assign(fitted)
        self.means.assign(side.spread(fitted) / np.maximum(root, 1))


def _fit_ridge(
    spread: Product, collect: Product, weight: Array, target: Array, penalty: Array, start: Array
) -> Array:
    """Improve y in: sum_i weight_i |target_i - (B y)_i|^2 + sum_j penalty_j |y_j|^2 → min.

    Args:
        spread: y to B y, where B is the 0-1 matrix of the pairs.
        collect: the transpose.
        weight: (n,) float32.
        target: (n, size) float32.
        penalty: (n_terms,) float32; 0 where B has no pair.
        start: (n_terms, size) float32.

    Returns:
        (n_terms, size) float32, after some rounds of preconditioned conjugate gradients, each
        column on its own.
    """
    weight, penalty = weight[:, None], penalty[:, None]
    diagonal = np.maximum(collect(weight) + penalty, np.finfo(np.float32).tiny)

    def normal(values: Array) -> Array:
        product: Array = collect(weight * spread(values)) + penalty * values
        return product

    fitted = start
    residual = collect(weight * target) - normal(start)
    scaled = residual / diagonal
    direction, norm = scaled, np.sum(residual * scaled, axis=0)
    for _ in range(_ROUNDS):
        image = normal(direction)
        curvature = np.sum(direction * image, axis=0)
        step = norm / np.maximum(curvature, np.finfo(np.float32).tiny)
        fitted = fitted + step * direction
        residual = residual - step * image
        scaled = residual / diagonal
        last, norm = norm, np.sum(residual * scaled, axis=0)
        direction = scaled + norm / np.maximum(last, np.finfo(np.float32).tiny) * direction
    return fitted


class Side(NamedTuple):
    """One side of the 0-1 matrix B of the train side's pairs, by user or by movie."""

    spread: Product
    """(n_terms, size) to B times it: (n, size)."""
    collect: Product
    """(n, size) to the transpose of B times it: (n_terms, size)."""
    counts: Array
    """(n,) float32: train ratings of each row of this side."""
    term_counts: Array
    """(n_terms,) float32: those of the other side."""


def both_sides(rows: UserRows, n_movies: int) -> tuple[Side, Side]:
    """The matrix by user and by movie."""
    pairs = _Pairs(rows, n_movies)
    n_user = rows.lengths().astype(np.float32)
    n_movie = np.bincount(rows.movie_index, minlength=n_movies).astype(np.float32)
    return (
        Side(pairs.sum_movies, pairs.sum_users, n_user, n_movie),
        Side(pairs.sum_users, pairs.sum_movies, n_movie, n_user),
    )


class _Pairs:
    """The 0-1 matrix of the train side, and products with it."""

    def __init__(self, rows: UserRows, n_movies: int) -> None:
        self._rows = rows
        self._n_movies = n_movies
        self._movie_index = np.asarray(rows.movie_index)
        # Parts of about as many ratings each.
        edges = np.searchsorted(rows.indptr, np.linspace(0, rows.n_rows, _PARTS + 1)[1:-1])
        bounds = np.concatenate(([0], edges, [rows.n_users]))
        self._parts = list(zip(bounds, bounds[1:], strict=False))

    def sum_movies(self, values: Array) -> Array:
        """(n_movies, size) to the sum of each user's movies: (n_users, size)."""
        sums = np.zeros((self._rows.n_users, values.shape[1]), np.float32)
        self._each(lambda low, high: _gather(
            self._rows.indptr, self._movie_index, low, high, values, sums
        ))  # fmt: skip
        return sums

    def sum_users(self, values: Array) -> Array:
        """(n_users, size) to the sum of each movie's users: (n_movies, size)."""
        values = np.ascontiguousarray(values)

        def part(low: int, high: int) -> Array:
            sums = np.zeros((self._n_movies, values.shape[1]), np.float32)
            _scatter(self._rows.indptr, self._movie_index, low, high, values, sums)
            return sums

        total = np.zeros((self._n_movies, values.shape[1]), np.float32)
        for sums in self._each(part):
            total += sums
        return total

    def _each(self, work: Callable[[int, int], Any]) -> list[Any]:
        return list(map_in_order(lambda part: work(*part), self._parts, os.cpu_count() or 1))


@numba.njit(nogil=True, cache=True)
def _gather(indptr, movie_index, low, high, values, sums):  # type: ignore[no-untyped-def]
    for u in range(low, high):
        for place in range(indptr[u], indptr[u + 1]):
            m = movie_index[place]
            for f in range(values.shape[1]):
                sums[u, f] += values[m, f]


@numba.njit(nogil=True, cache=True)
def _scatter(indptr, movie_index, low, high, values, sums):  # type: ignore[no-untyped-def]
    for u in range(low, high):
        for place in range(indptr[u], indptr[u + 1]):
            m = movie_index[place]
            for f in range(values.shape[1]):
                sums[m, f] += values[u, f]
