"""Scores against the notebook's cells, and against a naive loop over the documented formula."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from bigrec.errors import ResourceError
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.contract import FitContext
from bigrec.models.knn.fit import fit_neighbors
from bigrec.models.knn.layer import build_model
from bigrec.models.knn.model import PRESETS, CosineKnnOptions
from bigrec.models.knn.scorer import NeighborScorer
from bigrec.resources import Budget
from bigrec.rows import DataSpec, Rows
from tests.support.rows import make_rows


def notebook_scores(rows: Rows, spec: DataSpec, k: int) -> tuple[Any, Any]:
    """Scores of all pairs by the notebook's cells, and whose k neighbors no tie leaves open."""
    user = np.repeat(np.arange(rows.n_rows), rows.lengths())
    frame = pd.DataFrame({"user": user, "item": rows.column, "rating": rows.rating})
    train_sparse = frame.pivot_table(index="user", columns="item", values="rating")
    train_sparse = train_sparse.astype(np.float64)
    train_imputed = train_sparse.T.fillna(train_sparse.mean(axis=1)).T
    similarity = cosine_similarity(train_imputed.values)
    similarity -= np.eye(similarity.shape[0])
    scores = np.full((rows.n_rows, spec.n_items), np.nan)
    for u in range(rows.n_rows):
        best = np.argsort(-similarity[u], kind="stable")[:k]
        weights = similarity[u][best]
        mean = (train_imputed.values[best] * weights[:, None]).sum(axis=0) / weights.sum()
        scores[u, train_imputed.columns] = mean
    ranked = -np.sort(-similarity, axis=1)
    return scores, ranked[:, k - 1] - ranked[:, k] > 1e-9


def scores_both_ways(scorer: NeighborScorer) -> Any:
    """Scores of all pairs by the compiled scorer, which must agree with the layer."""
    rows, spec = scorer.rows, scorer.spec
    users = np.arange(rows.n_rows, dtype=np.int32)
    scores = scorer.score_users(users)
    user = np.repeat(users, spec.n_items)
    item = np.tile(np.arange(spec.n_items, dtype=np.int32), rows.n_rows)
    by_layer = build_model(scorer)([user, item]).numpy().reshape(scores.shape)
    np.testing.assert_allclose(by_layer, scores, atol=1e-5)
    shuffled = np.random.default_rng(0).permutation(len(user))[: len(user) // 2]
    pairs = scorer.score_warm_pairs(user[shuffled], item[shuffled])
    np.testing.assert_array_equal(pairs, scores.ravel()[shuffled])
    return scores


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.02, 0.6))
def test_scores_agree_with_the_notebook(seed: int, density: float) -> None:
    rows, spec = make_rows(seed, n_users=40, n_items=25, density=density)
    options = CosineKnnOptions(neighbors=10)
    scorer = fit_neighbors(FitContext(rows, spec, fit_biases(rows, spec), options))
    expected, settled = notebook_scores(rows, spec, 10)
    known = ~np.isnan(expected)  # an item without ratings is no column of the pivot
    scores = scores_both_ways(scorer)
    both = known & settled[:, None]
    np.testing.assert_allclose(scores[both], expected[both], atol=1e-5)


LADDER = [
    CosineKnnOptions(neighbors=5, candidates=12),
    CosineKnnOptions(neighbors=5, own_level=True),
    CosineKnnOptions(neighbors=5, filled=False, own_level=True),
    CosineKnnOptions(neighbors=5, candidates=12, filled=False, only_raters=True),
    CosineKnnOptions(
        neighbors=4, candidates=12, deviation="biases", filled=False, own_level=True,
        only_raters=True, support=3, co_rating=0.4, power=1.5, shrinkage=0.7,
    ),
]  # fmt: skip


@pytest.mark.parametrize("basis", ["user", "item"])
@pytest.mark.parametrize("step", range(len(LADDER)))
def test_scores_follow_the_formula(step: int, basis: str) -> None:
    rows, spec = make_rows(8, n_users=30, n_items=20, density=0.3)
    biases = fit_biases(rows, spec)
    options = CosineKnnOptions(**{**vars(LADDER[step]), "basis": basis})
    scorer = fit_neighbors(FitContext(rows, spec, biases, options))
    index, similarity = scorer.lists.neighbor_index, scorer.lists.neighbor_similarity
    rated = {}
    for u, (start, stop) in enumerate(itertools.pairwise(rows.indptr.tolist())):
        for m, r in zip(rows.column[start:stop], rows.rating[start:stop], strict=True):
            rated[u, int(m)] = float(r)
    level: Any = {"user": {}, "item": {}}
    for u in range(30):
        level["user"][u] = np.mean([r for (v, _), r in rated.items() if v == u])
    for m in range(20):
        level["item"][m] = np.mean([r for (_, n), r in rated.items() if n == m])

    def base(u: int, m: int) -> float:
        if options.deviation == "biases":
            return float(spec.mean_rating + biases.user[u] + biases.item[m])
        return float(level[basis][u if basis == "user" else m])

    scores = scores_both_ways(scorer)
    for u, m in itertools.product(range(30), range(20)):
        above = below = 0.0
        n_used = 0
        row = u if basis == "user" else m
        for x, s in zip(index[row].tolist(), similarity[row].tolist(), strict=True):
            v, n = (x, m) if basis == "user" else (u, x)
            if (
                x < 0
                or n_used == options.neighbors
                or (options.only_raters and (v, n) not in rated)
            ):
                continue
            n_used += 1
            value = rated.get((v, n), base(v, n))
            above += s**options.power * (value - base(*((v, n) if options.own_level else (u, m))))
            below += s**options.power
        expected = base(u, m)
        if below:
            expected += above / (below + options.shrinkage)
        assert scores[u, m] == pytest.approx(expected, abs=2e-5)


def test_a_fit_that_does_not_fit_the_budget_says_what_it_needs() -> None:
    n_users = 2_000_000
    indptr = np.arange(n_users + 1)
    rows = Rows(indptr, np.zeros(n_users, np.int32), np.ones(n_users, np.float32))
    spec = DataSpec(n_users, 1, 1.0, 1.0, 5.0)
    biases = fit_biases(rows, spec)
    context = FitContext(rows, spec, biases, PRESETS["notebook"], budget=Budget(1 << 30, 1))
    with pytest.raises(ResourceError, match=r"need 3\.3 GiB .*, the budget is 1\.0 GiB") as error:
        fit_neighbors(context)
    assert "--memory" in error.value.hint


def test_the_notebooks_preset_is_the_plain_engine() -> None:
    assert PRESETS["notebook"] == CosineKnnOptions(
        basis="user", neighbors=100, deviation="mean", filled=True, own_level=False,
        only_raters=False, support=0, co_rating=0, power=1, shrinkage=0,
    )  # fmt: skip
