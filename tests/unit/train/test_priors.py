"""Prior means against the closed form of their ridge regression, and the penalty against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.factorization.model import FactorOptions
from bigrec.train.priors import FactorPenalty
from tests.support.rows import make_rows

N_USERS, N_ITEMS, SIZE = 40, 15, 3


@pytest.fixture(scope="module")
def penalty() -> FactorPenalty:
    rows, spec = make_rows(3, n_users=N_USERS, n_items=N_ITEMS, density=0.3)
    options = FactorOptions(embedding_size=SIZE, row_l2=0.7, row_l2_power=0.25, implicit_l2=0.3)
    return FactorPenalty(rows, fit_biases(rows, spec), options)


def test_means_are_the_ridge_fit_of_the_factors(penalty: FactorPenalty) -> None:
    rows, _ = make_rows(3, n_users=N_USERS, n_items=N_ITEMS, density=0.3)
    pairs = np.zeros((N_USERS, N_ITEMS))
    pairs[np.repeat(np.arange(N_USERS), rows.lengths()), rows.column] = 1
    rng = np.random.default_rng(0)
    factors = [tf.constant(rng.normal(size=(n, SIZE)), tf.float32) for n in (N_USERS, N_ITEMS)]
    for _ in range(12):  # each call goes on from the last
        penalty.refit(*factors)
    for matrix, values, mean in zip((pairs, pairs.T), factors, penalty.variables[::2], strict=True):
        n, n_other = matrix.sum(axis=1), matrix.sum(axis=0)
        spread = matrix / np.sqrt(np.maximum(n, 1))[:, None]
        weight = (0.7 * np.maximum(n, 1) ** -0.25 * n)[:, None]
        normal = spread.T @ (weight * spread) + np.diag(0.3 * np.maximum(n_other, 1e-9))
        terms = np.linalg.solve(normal, spread.T @ (weight * values.numpy()))
        np.testing.assert_allclose(mean.numpy(), spread @ terms, atol=2e-4)


def test_the_penalty_is_the_weighted_distance_from_the_means(penalty: FactorPenalty) -> None:
    rows, spec = make_rows(3, n_users=N_USERS, n_items=N_ITEMS, density=0.3)
    biases = fit_biases(rows, spec)
    rng = np.random.default_rng(1)
    user, item = rng.integers(N_USERS, size=8), rng.integers(N_ITEMS, size=8)
    user_rows, item_rows = rng.normal(size=(2, 8, SIZE)).astype(np.float32)
    for mean, shape in zip(penalty.variables[::2], (N_USERS, N_ITEMS), strict=True):
        mean.assign(rng.normal(size=(shape, SIZE)))
    expected = 0.0
    for counts, index, values, mean in zip(
        (biases.user_count, biases.item_count), (user, item), (user_rows, item_rows),
        penalty.variables[::2], strict=True,
    ):  # fmt: skip
        weight = 0.7 * np.maximum(counts[index], 1) ** -0.25
        expected += np.mean(weight * np.square(values - mean.numpy()[index]).sum(axis=1))
    loss = penalty.loss(
        tf.constant(user, tf.int32), tf.constant(item, tf.int32), user_rows, item_rows
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)
