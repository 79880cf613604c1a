"""Popularity and EASE against what a few lines of NumPy give, on data small enough for them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bigrec.errors import ResourceError, SettingsError
from bigrec.interactions import IMPLICIT
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.contract import FitContext
from bigrec.models.ease import fit
from bigrec.models.ease.model import EaseOptions
from bigrec.models.list_measures import measure_quality
from bigrec.models.options import RankingOptions, override
from bigrec.models.registry import MODELS
from bigrec.models.similarity import PositiveSimilarity
from bigrec.resources import SILENT, Budget
from bigrec.rows import DataSpec, Rows
from tests.support.rows import make_rows

Array = np.ndarray[Any, Any]

N_USERS, N_ITEMS = 70, 23


@pytest.fixture(params=["stars", "counts", "presence"])
def subset(request: pytest.FixtureRequest) -> tuple[Rows, DataSpec]:
    """A train subset of stars, of counts, and of rows that only say that they are there."""
    rows, spec = make_rows(4, n_users=N_USERS, n_items=N_ITEMS, density=0.3)
    if request.param == "stars":
        return rows, spec
    rating = rows.rating * 7 if request.param == "counts" else np.ones_like(rows.rating)
    low, high = float(rating.min()), float(rating.max())
    spec = DataSpec(N_USERS, N_ITEMS, float(rating.mean()), low, high, IMPLICIT)
    return dataclasses.replace(rows, rating=rating), spec


def train(name: str, rows: Rows, spec: DataSpec, **settings: Any) -> Any:
    model = MODELS[name]
    options = dataclasses.replace(model.presets["tuned"], **settings).settled(spec)
    return model.fit(FitContext(rows, spec, fit_biases(rows, spec), options))


def dense(rows: Rows, positive: float) -> Array:
    """1 where a user has a positive rating of an item: (n_users, n_items)."""
    liked = np.zeros((rows.n_rows, N_ITEMS))
    for user, item, rating, _ in rows.pair_chunks(10**6):
        liked[user, item] = rating >= positive
    return liked


def naive_ease(liked: Array, penalty: float) -> Array:
    inverse = np.linalg.inv(liked.T @ liked + penalty * np.eye(liked.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_what_is_positive_depends_on_the_scale(subset: tuple[Rows, DataSpec]) -> None:
    rows, spec = subset
    options = RankingOptions().settled(spec)
    is_all = spec.feedback == IMPLICIT
    assert options.positive == (spec.min_rating if is_all else 4)
    assert dense(rows, spec.relevant).sum() == (
        rows.n_ratings if is_all else (rows.rating > 3).sum()
    )
    points = DataSpec(3, 3, 0.0, -10.0, 10.0)
    assert RankingOptions().settled(points).positive == 5
    assert RankingOptions(positive=-3.5).settled(points).positive == -3.5
    with pytest.raises(SettingsError, match="at most 10, the highest rating"):
        RankingOptions(positive=11.0).settled(points)


def test_options_are_numbers_or_none() -> None:
    chosen = override(EaseOptions(), {"positive": "3.5", "penalty": "20"})
    assert (chosen.positive, chosen.penalty) == (3.5, 20)
    assert override(chosen, {"positive": "none"}).positive is None
    for settings in ({"penalty": "none"}, {"penalty": "0"}, {"day_biases": "true"}):
        with pytest.raises(SettingsError):
            override(chosen, settings)


def test_popularity_counts_who_likes_an_item(subset: tuple[Rows, DataSpec]) -> None:
    rows, spec = subset
    scorer = train("popularity", rows, spec)
    expected = dense(rows, spec.relevant).sum(axis=0)
    np.testing.assert_array_equal(scorer.n_positive, expected)
    np.testing.assert_array_equal(scorer.score_users(np.array([4, 1])), [expected, expected])
    np.testing.assert_array_equal(scorer.fold_in(np.array([2]), np.ones(1)), expected)


def test_ease_is_the_inverse_of_its_paper(
    subset: tuple[Rows, DataSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, spec = subset
    monkeypatch.setattr(fit, "_ITEMS_AT_ONCE", 5)
    monkeypatch.setattr(fit, "_ROWS_AT_ONCE", 40)  # some users at a time
    liked = dense(rows, spec.relevant)
    expected = naive_ease(liked, 3.0)
    scorer = train("ease", rows, spec, penalty=3.0)
    np.testing.assert_allclose(scorer.weights, expected, atol=2e-5)
    users = np.array([5, 0, 69], np.int32)
    np.testing.assert_allclose(scorer.score_users(users), liked[users] @ expected, atol=1e-4)


def test_counts_of_pairs_are_whole_and_lie_below_the_diagonal(
    subset: tuple[Rows, DataSpec],
) -> None:
    rows, spec = subset
    liked = dense(rows, spec.relevant)
    counted = fit.count_pairs(
        rows, N_ITEMS, positive=spec.relevant, budget=Budget(threads=2), progress=SILENT
    )
    assert counted.dtype == np.float32
    np.testing.assert_array_equal(counted, np.tril(liked.T @ liked))


def test_a_rating_below_positive_says_nothing() -> None:
    rows, spec = make_rows(4, n_users=N_USERS, n_items=N_ITEMS, density=0.3)
    for positive in (2.0, 5.0):
        scorer = train("ease", rows, spec, positive=positive, penalty=3.0)
        expected = naive_ease(dense(rows, positive), 3.0)
        np.testing.assert_allclose(scorer.weights, expected, atol=2e-5)


def test_a_new_person_is_scored_as_the_same_user(subset: tuple[Rows, DataSpec]) -> None:
    rows, spec = subset
    scorer = train("ease", rows, spec, penalty=3.0)
    own = slice(rows.indptr[7], rows.indptr[8])
    folded = scorer.fold_in(rows.column[own], rows.rating[own])
    np.testing.assert_array_equal(folded, scorer.score_users(np.array([7]))[0])


def test_pairs_are_scored_as_their_users(subset: tuple[Rows, DataSpec]) -> None:
    rows, spec = subset
    scorer = train("ease", rows, spec, penalty=3.0)
    random = np.random.default_rng(0)
    user, item = random.integers(0, N_USERS, 300), random.integers(0, N_ITEMS, 300)
    whole = scorer.score_users(np.arange(N_USERS))
    np.testing.assert_array_equal(scorer.score_warm_pairs(user, item), whole[user, item])


def test_cosines_of_positive_ratings_agree_with_a_dense_matrix(
    subset: tuple[Rows, DataSpec],
) -> None:
    rows, spec = subset
    liked = dense(rows, spec.relevant)
    common = liked.T @ liked
    norms = np.sqrt(np.outer(np.diag(common), np.diag(common)))
    expected = common / np.maximum(norms, 1) * common / (common + 50)
    similarity = PositiveSimilarity(rows, N_ITEMS, spec.relevant)
    for item in (0, 11, N_ITEMS - 1):
        np.testing.assert_allclose(similarity.compare(item), expected[item])


def test_weights_that_do_not_fit_are_refused_before_the_work() -> None:
    budget = Budget(memory_bytes=1 << 30)
    fit.check_memory(10_000, budget)
    with pytest.raises(ResourceError) as caught:
        fit.check_memory(17_770, budget)
    assert "17,770 items, 1.2 GiB" in caught.value.message
    assert "--memory 1429MiB" in caught.value.hint
    assert "at most 14,481 items" in caught.value.hint
    fit.check_memory(17_770, Budget(memory_bytes=1429 << 20))
    fit.check_memory(14_481, budget)
    with pytest.raises(ResourceError):
        fit.check_memory(14_482, budget)


def test_a_matrix_that_float32_cannot_invert_is_told() -> None:
    n_users = 1 << 18  # where float32 has no room for the penalty
    always = np.tile(np.arange(2, dtype=np.int32), n_users)
    rows = Rows(np.arange(0, len(always) + 1, 2), always, np.full(len(always), 5, np.float32))
    spec = DataSpec(n_users, 2, 5.0, 1.0, 5.0)
    with pytest.raises(SettingsError, match="cannot be told in float32"):
        train("ease", rows, spec, penalty=0.01)


def test_ease_finds_tastes_that_popularity_does_not() -> None:
    random = np.random.default_rng(2)
    n_users, n_items, n_tastes = 400, 60, 4
    taste = np.arange(n_items) % n_tastes == (np.arange(n_users) % n_tastes)[:, None]
    chosen = random.random((n_users, n_items)) < np.where(taste, 0.5, 0.05)
    is_test = chosen & (random.random(chosen.shape) < 0.3)
    train_rows, test_rows = (
        Rows(
            np.concatenate(([0], np.cumsum(part.sum(axis=1)))),
            np.nonzero(part)[1].astype(np.int32),
            np.ones(part.sum(), np.float32),
        )
        for part in (chosen & ~is_test, is_test)
    )
    spec = DataSpec(n_users, n_items, 1.0, 1.0, 1.0, IMPLICIT)
    ndcg = {
        name: measure_quality(
            train(name, train_rows, spec, **settings), test_rows, [train_rows],
            name="test", budget=Budget(),
        ).measures["ndcg@10"]
        for name, settings in (("ease", {"penalty": 20.0}), ("popularity", {}))
    }  # fmt: skip
    assert ndcg["ease"] > 2 * ndcg["popularity"] > 0
