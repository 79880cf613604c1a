"""Prior means of factors, from who rated what: the implicit terms of matrix factorization.

The rows of both factor tables are drawn towards means that the train subset's pairs explain,

    z_u = |N(u)|^-1/2 · sum of y_m over the items that u rated,
    z_m = |N(m)|^-1/2 · sum of x_u over the users who rated m,

instead of towards 0. With p_u = z_u + deviation this is SVD++ (Koren, "Factorization Meets the
Neighborhood", KDD 2008), for users and items as in Rendle, Zhang, Koren, "On the Difficulty of
Evaluating Baselines" (2019), with the same objective and the same optimum. Kept as a prior, its
sums are computed once an epoch rather than once a rating: steps cost little more than without, and
the trained model is an ordinary factorization.

Between epochs y and x are refitted to the factors by ridge regression, a few conjugate-gradient
rounds from where they stood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

from bigrec.compiled import compiled
from bigrec.models.baseline.bias import Biases
from bigrec.models.gradient_model import TablePenalty
from bigrec.models.layers import row_sums
from bigrec.resources import available_cores, map_in_order
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]
Product = Callable[[Array], Array]

_ROUNDS: Final = 3
_TINY: Final = np.finfo(np.float32).tiny
_PARTS: Final = 8
"""Parts of a product, fixed so that sums come out alike on any number of threads."""


class FactorPenalty:
    """The L2 penalty on rows of both factor tables: of their distance from 0 or from prior means.

    A rating costs l2 · n^-power · |row - mean|^2 for each of its two rows, n being the row's train
    ratings.
    """

    def __init__(
        self, rows: Rows, biases: Biases, options: TablePenalty, threads: int | None = None
    ) -> None:
        """Take the train subset, its counts, and row_l2, row_l2_power and implicit_l2.

        Prior means are refitted by so many threads; by as many as there are cores if None.
        """
        weights = [
            (options.row_l2 * np.maximum(counts, 1.0) ** -options.row_l2_power).astype(np.float32)
            for counts in (biases.user_count, biases.item_count)
        ]
        self._weights = [tf.Variable(weight, trainable=False) for weight in weights]
        self._priors: list[PriorMeans] = []
        if options.implicit_l2:
            self._priors = [
                PriorMeans(
                    incidence, options.embedding_size, penalty=weight, l2=options.implicit_l2
                )
                for incidence, weight in zip(
                    both_incidences(rows, len(biases.item), threads), weights, strict=True
                )
            ]
        self.variables = [variable for prior in self._priors for variable in prior.variables]

    def loss(self, user: Any, item: Any, user_rows: Any, item_rows: Any) -> Any:
        """The mean over a batch, a scalar: (batch,) indices and (batch, size) rows."""
        total = 0.0
        indices, rows = (user, item), (user_rows, item_rows)
        for table, (index, row) in enumerate(zip(indices, rows, strict=True)):
            if self._priors:
                row -= tf.gather(self._priors[table].means, index)
            weight = tf.gather(self._weights[table], index)[:, None]
            total += tf.reduce_mean(weight * row_sums(tf.square(row)))
        return total

    def refit(self, user_factors: Any, item_factors: Any) -> None:
        """Refit the means to (n_users, size) and (n_items, size)."""
        for prior, factors in zip(self._priors, (user_factors, item_factors), strict=False):
            prior.refit(factors)


class PriorMeans:
    """The prior rows of one table, and the implicit terms that they are made of."""

    def __init__(self, incidence: Incidence, size: int, *, penalty: Array, l2: float) -> None:
        """Start with all means at 0.

        Args:
            incidence: the pairs as the table sees them.
            size: factors of a row.
            penalty: of a row's squared distance from its mean, a rating: (n,) float32.
            l2: penalty of a term, a rating.
        """
        self._incidence = incidence
        self._weight, self._penalty = penalty[:, None], (l2 * incidence.term_counts)[:, None]
        # The tiny number is for terms without a pair.
        self._diagonal = np.maximum(incidence.collect(self._weight) + self._penalty, _TINY)
        self.means = tf.Variable(tf.zeros((len(incidence.counts), size)), name="prior_means")
        self._terms = tf.Variable(
            tf.zeros((len(incidence.term_counts), size)), name="implicit_terms"
        )
        self.variables = [self.means, self._terms]

    def refit(self, factors: Any) -> None:
        """Fit the means to the rows of the table: (n, size).

        With B the 0-1 matrix of the pairs and t = sqrt(n) · factors, the terms y minimise

            sum_i weight_i |t_i - (B y)_i|^2 + sum_j penalty_j |y_j|^2.

        Each column has conjugate gradients of its own, preconditioned by the diagonal (Hestenes,
        Stiefel 1952). A round takes its residual from the errors t - B y and updates those, so that
        it needs no more than one product with B and one with its transpose, nor does anything else.
        """
        incidence, root = self._incidence, np.sqrt(self._incidence.counts)[:, None]
        target, terms = root * factors.numpy(), self._terms.numpy()
        errors = target - root * self.means.numpy()  # (n, size)
        direction, last_norm = np.zeros_like(terms), np.full(terms.shape[1], np.inf, np.float32)
        for _ in range(_ROUNDS):
            residual = incidence.collect(self._weight * errors) - self._penalty * terms
            scaled = residual / self._diagonal
            norm = _dot(residual, scaled)
            direction = scaled + norm / np.maximum(last_norm, _TINY) * direction
            image = incidence.spread(direction)
            curvature = _dot(self._weight * image, image)
            curvature += _dot(self._penalty * direction, direction)
            step = norm / np.maximum(curvature, _TINY)
            terms += step * direction
            errors -= step * image
            last_norm = norm
        self._terms.assign(terms)
        self.means.assign((target - errors) / np.maximum(root, 1))


def _dot(one: Array, other: Array) -> Array:
    """The products of their columns: (n, size) twice to (size,)."""
    product: Array = np.einsum("ij,ij->j", one, other)
    return product


class Incidence(NamedTuple):
    """The 0-1 matrix B of the train pairs as one of the two tables sees it: by user or by item."""

    spread: Product
    """(n_terms, size) to B times it: (n, size)."""
    collect: Product
    """(n, size) to the transpose of B times it: (n_terms, size)."""
    counts: Array
    """(n,) float32: train ratings of each row of the table."""
    term_counts: Array
    """(n_terms,) float32: those of the other table."""


def both_incidences(
    rows: Rows, n_items: int, threads: int | None = None
) -> tuple[Incidence, Incidence]:
    """The matrix by user and by item, whose products are made by so many threads."""
    pairs = _Pairs(rows, n_items, threads or available_cores())
    n_user = rows.lengths().astype(np.float32)
    n_item = np.bincount(rows.column, minlength=n_items).astype(np.float32)
    return (
        Incidence(pairs.sum_items, pairs.sum_users, n_user, n_item),
        Incidence(pairs.sum_users, pairs.sum_items, n_item, n_user),
    )


class _Pairs:
    """The 0-1 matrix of the train subset, and products with it."""

    def __init__(self, rows: Rows, n_items: int, threads: int) -> None:
        self._rows = rows
        self._threads = threads
        self._n_items = n_items
        self._item_index = np.asarray(rows.column)
        # Parts of about as many ratings each.
        edges = np.searchsorted(rows.indptr, np.linspace(0, rows.n_ratings, _PARTS + 1)[1:-1])
        bounds = np.concatenate(([0], edges, [rows.n_rows]))
        self._parts = list(zip(bounds, bounds[1:], strict=False))

    def sum_items(self, values: Array) -> Array:
        """(n_items, size) to the sum of each user's items: (n_users, size)."""
        sums = np.zeros((self._rows.n_rows, values.shape[1]), np.float32)
        self._each(lambda low, high: _gather(
            self._rows.indptr, self._item_index, low, high, values, sums
        ))  # fmt: skip
        return sums

    def sum_users(self, values: Array) -> Array:
        """(n_users, size) to the sum of each item's users: (n_items, size)."""
        values = np.ascontiguousarray(values)

        def part(low: int, high: int) -> Array:
            sums = np.zeros((self._n_items, values.shape[1]), np.float32)
            _scatter(self._rows.indptr, self._item_index, low, high, values, sums)
            return sums

        total = np.zeros((self._n_items, values.shape[1]), np.float32)
        for sums in self._each(part):
            total += sums
        return total

    def _each(self, work: Callable[[int, int], Any]) -> list[Any]:
        return list(map_in_order(lambda part: work(*part), self._parts, self._threads))


@compiled
def _gather(indptr, item_index, low, high, values, sums):  # type: ignore[no-untyped-def]
    for u in range(low, high):
        rest = indptr[u + 1] - (indptr[u + 1] - indptr[u]) % 4
        # Four at a time, so that the sum is not written as often as a row is read.
        for position in range(indptr[u], rest, 4):
            m, n, o, p = item_index[position : position + 4]
            for f in range(values.shape[1]):
                sums[u, f] += (values[m, f] + values[n, f]) + (values[o, f] + values[p, f])
        for position in range(rest, indptr[u + 1]):
            m = item_index[position]
            for f in range(values.shape[1]):
                sums[u, f] += values[m, f]


@compiled
def _scatter(indptr, item_index, low, high, values, sums):  # type: ignore[no-untyped-def]
    for u in range(low, high):
        for position in range(indptr[u], indptr[u + 1]):
            m = item_index[position]
            for f in range(values.shape[1]):
                sums[m, f] += values[u, f]
