"""Runs without Keras: arrays score as the model does, new people are folded in, items compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from bigrec.errors import RunError
from bigrec.models.baseline.bias import USER_PENALTY, Biases
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.factorization.scorer import FOLD_IN_PENALTY, Factors, FactorScorer
from bigrec.models.registry import MODELS
from bigrec.models.similarity import (
    ITEM_VECTORS,
    NEIGHBOR_INDEX,
    NEIGHBOR_SIMILARITY,
    ListSimilarity,
    RatingSimilarity,
    VectorSimilarity,
)
from bigrec.rows import DataSpec, Rows
from tests.support.rows import make_rows
from tests.support.scorers import make_scorer

N_USERS, N_ITEMS = 50, 20


@pytest.fixture(scope="module")
def data() -> tuple[Rows, DataSpec, Biases]:
    rows, spec = make_rows(4, N_USERS, N_ITEMS, density=0.3)
    return rows, spec, fit_biases(rows, spec)


@pytest.mark.parametrize(
    ("name", "preset"),
    [("matrix-factorization", "notebook"), ("matrix-factorization", "tuned"), ("autorec", "tuned")],
)
def test_factors_score_as_the_keras_model(
    name: str, preset: str, data: tuple[Rows, DataSpec, Biases]
) -> None:
    rows, spec, biases = data
    keras_scorer = make_scorer(name, preset, *data)
    model = keras_scorer.keras_model()
    assert model is not None
    random = np.random.default_rng(0)
    for weight in model.weights:  # far from where training starts, so that every part counts
        weight.assign(random.normal(0, 0.7, weight.shape).astype(np.float32))
    arrays, fields = MODELS[name].arrays(keras_scorer), dataclasses.fields(Factors)
    scorer = FactorScorer(Factors(*(arrays[field.name] for field in fields)), rows, spec, biases)
    users = np.array([3, 41, 0])
    np.testing.assert_allclose(
        scorer.score_users(users), keras_scorer.score_users(users), rtol=1e-5, atol=1e-5
    )
    user, item = np.array([0, 7, 49, -1], "i4"), np.array([19, 3, 0, 2], "i4")
    scores, cold = scorer.score_pairs(user, item)
    expected, expected_cold = keras_scorer.score_pairs(user, item)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(cold, expected_cold)


def test_a_new_person_gets_the_factors_of_a_ridge_regression(
    data: tuple[Rows, DataSpec, Biases],
) -> None:
    rows, spec, biases = data
    random = np.random.default_rng(1)
    users, items = random.normal(size=(N_USERS, 5)), random.normal(size=(N_ITEMS, 5))
    factors = Factors(users[:, 1:], items[:, 1:], users[:, 0], items[:, 0])
    item, rating = np.array([2, 5, 11], "i4"), np.array([5, 1, 4], "f4")
    # The penalties as rows of an ordinary least squares problem.
    known = np.column_stack((np.ones(3), factors.item_factors[item]))
    penalties = [USER_PENALTY, *[FOLD_IN_PENALTY * 3] * 4]
    wanted = rating - spec.mean_rating - factors.item_bias[item]
    found, *_ = np.linalg.lstsq(
        np.vstack((known, np.diag(np.sqrt(penalties)))), np.concatenate((wanted, np.zeros(5)))
    )
    expected = spec.mean_rating + factors.item_bias + found[0] + factors.item_factors @ found[1:]
    scores = FactorScorer(factors, rows, spec, biases).fold_in(item, rating)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "preset"), [("autorec", "notebook"), ("cosine-knn", "tuned")])
def test_a_new_person_is_scored_as_a_user_with_the_same_ratings(
    name: str, preset: str, data: tuple[Rows, DataSpec, Biases]
) -> None:
    rows, _, _ = data
    scorer = make_scorer(name, preset, *data)
    for user in (0, 17):
        own = rows.take(np.array([user]))
        scores = scorer.fold_in(own.column, own.rating)
        expected = scorer.score_users(np.array([user]))[0]
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_model_that_cannot_score_a_new_person_says_so(
    data: tuple[Rows, DataSpec, Biases],
) -> None:
    for name, preset, words in (
        ("dnn", "tuned", "no way to score a person"),
        ("cosine-knn", "notebook", "none of a person"),
    ):
        scorer = make_scorer(name, preset, *data)
        with pytest.raises(RunError, match=words):
            scorer.fold_in(np.array([1], "i4"), np.array([4], "f4"))


def test_a_new_persons_bias_is_the_one_that_training_finds(
    data: tuple[Rows, DataSpec, Biases],
) -> None:
    rows, _, biases = data
    for user in (0, 30):
        own = rows.take(np.array([user]))
        found = biases.fold_in(own.column, own.rating)
        assert found == pytest.approx(float(biases.user[user]), abs=1e-5)


@pytest.mark.parametrize("name", ["autorec", "dnn", "residual"])
def test_models_with_vectors_represent_every_item(
    name: str, data: tuple[Rows, DataSpec, Biases]
) -> None:
    arrays = MODELS[name].arrays(make_scorer(name, "tuned", *data))
    vectors = arrays[ITEM_VECTORS]
    assert vectors.shape[0] == N_ITEMS
    compared = VectorSimilarity(vectors).compare(6)
    np.testing.assert_allclose(compared, cosine_similarity(vectors[[6]], vectors)[0], atol=1e-6)
    assert np.argmax(compared) == 6


def test_lists_of_neighbors_compare_items(data: tuple[Rows, DataSpec, Biases]) -> None:
    arrays = MODELS["cosine-knn"].arrays(make_scorer("cosine-knn", "tuned", *data))
    index, similarity = arrays[NEIGHBOR_INDEX], arrays[NEIGHBOR_SIMILARITY]
    compared = ListSimilarity(index, similarity).compare(6)
    listed = {int(m): float(s) for m, s in zip(index[6], similarity[6], strict=True) if m >= 0}
    assert listed
    assert compared.tolist() == [listed.get(item, 0.0) for item in range(N_ITEMS)]


def test_a_vector_of_zeros_is_like_nothing() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [-1.0, 0.0]], np.float32)
    assert VectorSimilarity(vectors).compare(0).tolist() == [1, 0, 1, -1]
    assert VectorSimilarity(vectors).compare(1).tolist() == [0, 0, 0, 0]


def test_similarity_by_ratings_agrees_with_a_naive_loop(
    data: tuple[Rows, DataSpec, Biases], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigrec.models.similarity._ROWS_AT_ONCE", 64)  # several chunks
    monkeypatch.setattr("bigrec.models.similarity._USERS_AT_ONCE", 4)
    rows, _, biases = data
    dense, rated = np.zeros((N_USERS, N_ITEMS)), np.zeros((N_USERS, N_ITEMS), bool)
    user = np.repeat(np.arange(N_USERS), rows.lengths())
    base = biases.mean + biases.user[user] + biases.item[rows.column]
    dense[user, rows.column] = rows.rating - base
    rated[user, rows.column] = True
    cosine = cosine_similarity(dense.T)
    for item in (0, 13):
        common = (rated[:, [item]] & rated).sum(axis=0)
        expected = cosine[item] * common / (common + 50)
        compared = RatingSimilarity(rows, biases).compare(item)
        np.testing.assert_allclose(compared, expected, atol=1e-5)
