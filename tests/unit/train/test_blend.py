"""The blend's weights solve their ridge equations; pairs and whole users agree."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from bigrec.errors import RunError, SplitError
from bigrec.models.blend import Blend, BlendWeights
from bigrec.models.scoring import Scorer
from bigrec.train.blend import fit_blend
from tests.support.rows import make_rows
from tests.support.table_scorer import TableScorer

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def fitted() -> tuple[Blend, tuple[Array, Array, Array]]:
    rows, spec = make_rows(4, n_users=40, n_items=15, density=0.4)
    random = np.random.default_rng(0)
    truth = random.normal(3, 1, (40, 15)).astype(np.float32)
    scorers = {
        name: TableScorer(
            truth + random.normal(0, noise, truth.shape).astype(np.float32), rows, spec
        )
        for name, noise in (("good", 0.3), ("bad", 0.9))
    }
    user, item = (index.astype(np.int32) for index in np.nonzero(random.random((40, 15)) < 0.5))
    rating = truth[user, item] + random.normal(0, 0.1, len(user)).astype(np.float32)
    weights = fit_blend(scorers, user, item, rating)
    biases = next(iter(scorers.values())).biases
    return Blend(tuple(scorers.values()), weights, rows, spec, biases), (user, item, rating)


def test_the_weights_solve_the_ridge_equations_of_the_written_formula(
    fitted: tuple[Blend, tuple[Array, Array, Array]],
) -> None:
    blend, (user, item, rating) = fitted
    biases, weights = blend.biases, blend.weights
    warm = (biases.user_count[user] > 0) & (biases.item_count[item] > 0)
    user, item, rating = user[warm], item[warm], rating[warm].astype(float)
    u, m = (np.log1p(c.astype(float)) for c in (biases.user_count[user], biases.item_count[item]))
    u, m = (u - u.mean()) / u.std(), (m - m.mean()) / m.std()
    base = (biases.mean + biases.user[user] + biases.item[item]).astype(float)
    columns = [u, m]
    for scorer in blend.components:
        assert isinstance(scorer, TableScorer)
        deviation = scorer.table[user, item] - base
        columns += [deviation, deviation * u, deviation * m]
    terms = np.stack(columns, axis=1)
    centred = (terms - terms.mean(0)) / terms.std(0)
    penalised = centred.T @ centred + weights.penalty * np.eye(len(columns))
    target = rating - base
    solved = np.linalg.solve(penalised, centred.T @ (target - target.mean()))
    expected = base + target.mean() + centred @ solved
    found = blend.score_warm_pairs(user, item)
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


def few(n_pairs: int, *, equal: bool = False) -> tuple[dict[str, Scorer], Array, Array, Array]:
    """A scorer, and so many pairs of a known user and item beside two of strangers."""
    rows, spec = make_rows(4, n_users=40, n_items=15, density=0.4)
    table = np.random.default_rng(0).normal(3, 1, (40, 15)).astype(np.float32)
    scorer = TableScorer(np.full_like(table, 3.5) if equal else table, rows, spec)
    user = np.array([*range(n_pairs), -1, -1], np.int32)
    item = np.array([*(np.arange(n_pairs) % 15), 0, 1], np.int32)
    rating = np.full(len(user), 4.0, np.float32) if equal else table[user, item]
    return {"one": scorer}, user, item, rating


@pytest.mark.parametrize("n_pairs", [0, 1])
def test_a_blend_of_too_few_warm_pairs_is_refused_in_words(n_pairs: int) -> None:
    with pytest.raises(SplitError) as caught:
        fit_blend(*few(n_pairs))
    assert f"at least 2, found {n_pairs} of {n_pairs + 2}" in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("n_pairs", "equal"), [(2, False), (3, False), (2, True), (30, True)])
def test_few_pairs_and_equal_scores_give_finite_weights(n_pairs: int, equal: bool) -> None:
    scorers, user, item, rating = few(n_pairs, equal=equal)
    weights = fit_blend(scorers, user, item, rating)
    assert weights.n_fitted == n_pairs
    scorer = scorers["one"]
    blend = Blend((scorer,), weights, scorer.rows, scorer.spec, scorer.biases)
    assert np.isfinite(blend.score_users(np.arange(40))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_component_whose_scores_are_no_numbers_is_refused(value: float) -> None:
    scorers, user, item, rating = few(9)
    scorer = scorers["one"]
    assert isinstance(scorer, TableScorer)
    scorer.table[4, 4] = value
    with pytest.raises(RunError, match="are no finite numbers"):
        fit_blend(scorers, user, item, rating)
