"""What scores look like against ratings, against plain computations."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.runs import make_metrics

from bigrec.report.lists_section import pick_users
from bigrec.report.scores_section import SampledPairs, decile_figures, score_figures
from bigrec.rows import DataSpec


@pytest.fixture
def pairs() -> SampledPairs:
    random = np.random.default_rng(1)
    n = 2000
    return SampledPairs(
        user_index=np.sort(random.integers(0, 50, n)).astype(np.int32),
        item_index=random.integers(0, 40, n).astype(np.int32),
        rating=random.integers(1, 6, n).astype(np.float32),
        day=None,
        n_users=50,
        spec=DataSpec(50, 40, 3.0, 1.0, 5.0),
        is_sample=True,
    )


def test_deciles_are_shown_as_recorded() -> None:
    deciles = [
        {"decile": 1, "from_count": 0, "to_count": 4, "n": 50, "rmse": 1.25, "mae": 1.0},
        {"decile": 10, "from_count": 90, "to_count": 90, "n": 60, "rmse": 0.75, "mae": 0.5},
    ]
    metrics = {"dnn": make_metrics(item_deciles=tuple(deciles), user_deciles=tuple(deciles[:1]))}
    by_item, by_user = decile_figures(metrics, "stars")
    assert [(row["decile"], row["n"], row["rmse"]) for row in by_item.rows] == [
        (1, 50, 1.25), (10, 60, 0.75)
    ]  # fmt: skip
    assert [row["to_count"] for row in by_user.rows] == [4]
    assert "users" in by_user.alt


def test_calibration_of_perfect_scores_is_the_diagonal(pairs: SampledPairs) -> None:
    figure = score_figures({"dnn": pairs.rating}, pairs)[0]
    assert [row["score"] for row in figure.rows] == [1, 2, 3, 4, 5]
    assert [row["rating"] for row in figure.rows] == [1, 2, 3, 4, 5]
    assert sum(row["n_ratings"] for row in figure.rows) == 2000


def test_columns_of_predicted_against_actual_add_up(pairs: SampledPairs) -> None:
    scores = np.random.default_rng(2).uniform(1, 5, 2000).astype(np.float32)
    figure = score_figures({"dnn": scores}, pairs)[1]
    for rating in range(1, 6):
        shares = [row["percent"] for row in figure.rows if row["rating"] == rating]
        assert sum(shares) == pytest.approx(100, abs=0.1)
    assert "2,000 test ratings of 50 users" in figure.caption


def test_users_are_picked_by_how_much_they_rated() -> None:
    counts = np.array([0, 3, 10, 5, 80, 7, 20])
    picked = pick_users(counts)
    assert [counts[user] for user in picked.values()] == [7, 10, 20]
    assert pick_users(np.array([1, 0, 1])) == {"occasional": 0, "typical": 0, "keen": 0}
