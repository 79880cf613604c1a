"""The blend's weights solve their ridge equations; pairs and whole users agree."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from bigrec.models.blend import Blend, BlendWeights
from bigrec.train.blend import fit_blend
from tests.table_scorer import TableScorer
from tests.unit.models.test_cosine_knn import make_rows

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def fitted() -> tuple[Blend, tuple[Array, Array, Array]]:
    rows, spec = make_rows(4, n_users=40, n_movies=15, density=0.4)
    random = np.random.default_rng(0)
    truth = random.normal(3, 1, (40, 15)).astype(np.float32)
    scorers = {
        name: TableScorer(
            truth + random.normal(0, noise, truth.shape).astype(np.float32), rows, spec
        )
        for name, noise in (("good", 0.3), ("bad", 0.9))
    }
    user, movie = (index.astype(np.int32) for index in np.nonzero(random.random((40, 15)) < 0.5))
    rating = truth[user, movie] + random.normal(0, 0.1, len(user)).astype(np.float32)
    weights = fit_blend(scorers, user, movie, rating)
    biases = next(iter(scorers.values())).biases
    return Blend(tuple(scorers.values()), weights, rows, spec, biases), (user, movie, rating)


def test_the_weights_solve_the_ridge_equations_of_the_written_formula(
    fitted: tuple[Blend, tuple[Array, Array, Array]],
) -> None:
    blend, (user, movie, rating) = fitted
    biases, weights = blend.biases, blend.weights
    warm = (biases.user_count[user] > 0) & (biases.movie_count[movie] > 0)
    user, movie, rating = user[warm], movie[warm], rating[warm].astype(float)
    u, m = (np.log1p(c.astype(float)) for c in (biases.user_count[user], biases.movie_count[movie]))
    u, m = (u - u.mean()) / u.std(), (m - m.mean()) / m.std()
    base = (biases.mean + biases.user[user] + biases.movie[movie]).astype(float)
    columns = [u, m]
    for scorer in blend.components:
        assert isinstance(scorer, TableScorer)
        deviation = scorer.table[user, movie] - base
        columns += [deviation, deviation * u, deviation * m]
    terms = np.stack(columns, axis=1)
    centred = (terms - terms.mean(0)) / terms.std(0)
    penalised = centred.T @ centred + weights.penalty * np.eye(len(columns))
    target = rating - base
    solved = np.linalg.solve(penalised, centred.T @ (target - target.mean()))
    expected = base + target.mean() + centred @ solved
    found = blend.score_warm_pairs(user, movie)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert weights.n_fitted == len(rating)
    assert weights.components[0].weight > weights.components[1].weight > -0.1


def test_whole_users_and_pairs_agree(fitted: tuple[Blend, tuple[Array, Array, Array]]) -> None:
    blend, _ = fitted
    users = np.array([3, 17, 39])
    whole = blend.score_users(users)
    pairs = blend.score_warm_pairs(np.repeat(users, 15), np.tile(np.arange(15), 3))
    np.testing.assert_allclose(whole.ravel(), pairs, atol=1e-5)


def test_weights_come_back_from_json(fitted: tuple[Blend, tuple[Array, Array, Array]]) -> None:
    weights = fitted[0].weights
    assert BlendWeights.from_json(json.loads(json.dumps(dataclasses.asdict(weights)))) == weights
