"""Errors by decile, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bigrec.models import scoring
from bigrec.models.baseline.bias import Biases
from bigrec.models.scoring import FALLBACK, measure_errors, popularity_deciles
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]


def test_deciles_hold_a_tenth_of_the_ratings_each_rarest_first() -> None:
    # 100 items of one rating, 10 of ten, one of 100: thirds of all ratings.
    count = np.array([1] * 100 + [10] * 10 + [100], np.int32)
    deciles = popularity_deciles(count)
    ratings = np.bincount(deciles, count, minlength=10)
    assert ratings[:6] == pytest.approx(30, abs=5)
    assert deciles[-1] == 8  # the middle of its 100 ratings is at 250 of 300
    assert np.all(np.diff(deciles) >= 0)
    assert np.all(popularity_deciles(count[::-1])[:1] == deciles[-1])
    assert popularity_deciles(np.zeros(3, np.int32)).tolist() == [0, 0, 0]


def test_errors_agree_with_a_naive_loop_clipped_and_not_by_decile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 7)  # several chunks
    random = np.random.default_rng(3)
    spec = DataSpec(n_users=8, n_items=12, mean_rating=3.0, min_rating=1.0, max_rating=5.0)
    biases = Biases(
        3.0, np.zeros(8), np.zeros(12), np.zeros(12),
        user_count=random.integers(0, 30, 8).astype(np.int32),
        item_count=random.integers(0, 30, 12).astype(np.int32),
    )  # fmt: skip
    seen = random.random((8, 12)) < 0.5
    user, item = np.nonzero(seen)
    rating = random.integers(1, 6, len(user)).astype(np.float32)
    subset = Rows(np.concatenate(([0], np.cumsum(seen.sum(1)))), item.astype(np.int32), rating)
    table = random.uniform(-1, 7, (8, 12)).astype(np.float32)

    def score(user_index: Array, item_index: Array, _: Array | None) -> tuple[Array, Array]:
        return table[user_index, item_index], item_index == 3

    errors = measure_errors(score, subset, spec, biases)
    raw = table[user, item].astype(float) - rating
    clipped = np.clip(table[user, item], 1, 5).astype(float) - rating
    assert errors.n == len(rating)
    assert errors.n_fallback == np.sum(item == 3)
    assert errors.rmse == pytest.approx(np.sqrt(np.mean(clipped**2)))
    assert errors.mae == pytest.approx(np.mean(np.abs(clipped)))
    assert errors.rmse_unclipped == pytest.approx(np.sqrt(np.mean(raw**2)))
    assert errors.mae_unclipped == pytest.approx(np.mean(np.abs(raw)))
    for found, count, index in (
        (errors.item_deciles, biases.item_count, item),
        (errors.user_deciles, biases.user_count, user),
    ):
        group = popularity_deciles(count)[index]
        assert [decile.decile for decile in found] == (np.unique(group) + 1).tolist()
        for decile in found:
            inside = group == decile.decile - 1
            assert decile.n == inside.sum()
            assert decile.rmse == pytest.approx(np.sqrt(np.mean(clipped[inside] ** 2)))
            assert decile.mae == pytest.approx(np.mean(np.abs(clipped[inside])))
            assert decile.from_count <= count[index[inside]].min()
            assert decile.to_count >= count[index[inside]].max()
    recorded = errors.test_record()
    assert recorded["fallback"] == FALLBACK
    assert recorded["item_deciles"][0]["n"] == errors.item_deciles[0].n
