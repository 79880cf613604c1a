"""Neighbours and predictions against scikit-learn on the filled matrix, as the notebook does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from bigrec.features import BatchSpec, UserRows
from bigrec.models import cosine_knn
from bigrec.models.bias import fit_biases
from bigrec.models.cosine_knn import PRESETS, CosineKnnOptions


def make_rows(seed: int, n_users: int, n_movies: int, density: float) -> tuple[UserRows, BatchSpec]:
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_movies)) < density
    rated[np.arange(n_users), rng.integers(0, n_movies, n_users)] = True  # nobody is empty
    user, movie = np.nonzero(rated)
    rating = rng.integers(1, 6, len(user)).astype(np.float32)
    indptr = np.concatenate(([0], np.cumsum(rated.sum(axis=1))))
    rows = UserRows(indptr, movie.astype(np.int32), rating)
    return rows, BatchSpec(n_users, n_movies, float(rating.mean()), 1.0, 5.0)


def notebook_scores(rows: UserRows, spec: BatchSpec, k: int) -> tuple[Any, Any]:
    """Scores of all pairs by the notebook's cells, and whose k neighbours no tie leaves open."""
    user = np.repeat(np.arange(rows.n_users), rows.lengths())
    frame = pd.DataFrame({"user": user, "movie": rows.movie_index, "rating": rows.rating})
    train_sparse = frame.pivot_table(index="user", columns="movie", values="rating")
    train_sparse = train_sparse.reindex(columns=range(spec.n_movies)).astype(np.float64)
    train_imputed = train_sparse.T.fillna(train_sparse.mean(axis=1)).T
    similarity = cosine_similarity(train_imputed.values)
    similarity -= np.eye(similarity.shape[0])
    scores = np.empty((rows.n_users, spec.n_movies))
    for u in range(rows.n_users):
        best = np.argsort(-similarity[u], kind="stable")[:k]
        weights = similarity[u][best]
        scores[u] = (train_imputed.values[best] * weights[:, None]).sum(axis=0) / weights.sum()
    ranked = -np.sort(-similarity, axis=1)
    return scores, ranked[:, k - 1] - ranked[:, k] > 1e-7


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.1, 0.6))
def test_scores_agree_with_the_notebook(seed: int, density: float) -> None:
    rows, spec = make_rows(seed, n_users=40, n_movies=25, density=density)
    options = CosineKnnOptions(neighbors=10)
    model = cosine_knn.fit(rows, spec, options, fit_biases(rows, spec))
    user = np.repeat(np.arange(40), 25).astype(np.int32)
    movie = np.tile(np.arange(25), 40).astype(np.int32)
    scores = model([user, movie]).numpy().reshape(40, 25)
    expected, settled = notebook_scores(rows, spec, 10)
    np.testing.assert_allclose(scores[settled], expected[settled], atol=1e-5)


def test_similarities_are_exact_cosines_of_filled_rows() -> None:
    rows, _ = make_rows(3, n_users=60, n_movies=30, density=0.3)
    mean = np.add.reduceat(rows.rating, rows.indptr[:-1]) / rows.lengths()
    user = np.repeat(np.arange(60), rows.lengths())
    filled = np.repeat(mean[:, None], 30, axis=1).astype(np.float64)
    filled[user, rows.movie_index] = rows.rating
    expected = cosine_similarity(filled)
    np.fill_diagonal(expected, -1)
    deviations = UserRows(rows.indptr, rows.movie_index, (rows.rating - mean[user]).astype("f4"))
    index, similarity = cosine_knn.nearest_neighbours(deviations, mean.astype(float), 30, 5)
    np.testing.assert_allclose(similarity, -np.sort(-expected, axis=1)[:, :5], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(expected, index, 1), similarity, atol=1e-6)


def test_tiles_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, spec = make_rows(5, n_users=50, n_movies=20, density=0.4)
    level = np.zeros(50)
    whole = cosine_knn.nearest_neighbours(rows, level, spec.n_movies, 7)
    monkeypatch.setattr(cosine_knn, "_TILE_USERS", 8)
    tiled = cosine_knn.nearest_neighbours(rows, level, spec.n_movies, 7)
    np.testing.assert_allclose(whole[1], tiled[1], atol=1e-6)


def test_only_raters_follow_the_formula() -> None:
    rows, spec = make_rows(8, n_users=30, n_movies=15, density=0.4)
    biases = fit_biases(rows, spec)
    options = CosineKnnOptions(6, "biases", filled=False, only_raters=True, shrinkage=1.5)
    model = cosine_knn.fit(rows, spec, options, biases)
    layer = model.get_layer("neighbours")
    index, similarity = layer.neighbour_index.numpy(), layer.similarity.numpy()
    rated = {
        (u, int(m)): float(r)
        for u in range(30)
        for m, r in zip(
            rows.movie_index[rows.indptr[u] : rows.indptr[u + 1]],
            rows.rating[rows.indptr[u] : rows.indptr[u + 1]],
            strict=True,
        )
    }
    for u in range(30):
        for m in range(15):
            above = below = 0.0
            for v, s in zip(index[u].tolist(), similarity[u].tolist(), strict=True):
                if (v, m) in rated:
                    base = spec.mean_rating + biases.user[v] + biases.movie[m]
                    above += s * (rated[v, m] - base)
                    below += abs(s)
            expected = spec.mean_rating + biases.user[u] + biases.movie[m] + above / (below + 1.5)
            score = float(model([np.array([u], "i4"), np.array([m], "i4")])[0, 0])
            assert score == pytest.approx(expected, abs=1e-5)


def test_presets_are_the_notebooks_and_ours() -> None:
    assert PRESETS["notebook"].neighbors == 100
    assert PRESETS["notebook"].filled
