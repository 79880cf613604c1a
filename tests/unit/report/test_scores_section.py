"""What scores look like against ratings, against plain computations."""

from __future__ import annotations

import numpy as np
import pytest

from bigrec.report.lists_section import _likeness, pick_users
from bigrec.report.scores_section import SampledPairs, score_figures


@pytest.fixture
def pairs() -> SampledPairs:
    random = np.random.default_rng(1)
    n = 2000
    return SampledPairs(
        user_index=np.sort(random.integers(0, 50, n)).astype(np.int32),
        movie_index=random.integers(0, 40, n).astype(np.int32),
        rating=random.integers(1, 6, n).astype(np.float32),
        n_users=50,
        is_sample=True,
    )


def test_tenths_are_of_equal_size_and_their_errors_plain(pairs: SampledPairs) -> None:
    movie_count = np.arange(40) * 10
    scores = {"dnn": np.full(2000, 3.0, np.float32)}
    figure = score_figures(scores, pairs, movie_count)[0]
    assert [row["group"] for row in figure.rows] == list(range(1, 11))
    overall = np.sqrt(np.mean([row["rmse"] ** 2 for row in figure.rows]))
    assert overall == pytest.approx(np.sqrt(np.mean((3 - pairs.rating) ** 2)), abs=1e-4)
    bounds = [(row["from_count"], row["to_count"]) for row in figure.rows]
    assert all(low <= high for low, high in bounds)
    assert all(one[1] <= other[0] for one, other in zip(bounds, bounds[1:], strict=False))


def test_calibration_of_perfect_scores_is_the_diagonal(pairs: SampledPairs) -> None:
    figure = score_figures({"dnn": pairs.rating}, pairs, np.arange(40))[1]
    assert [row["score"] for row in figure.rows] == [1, 2, 3, 4, 5]
    assert [row["rating"] for row in figure.rows] == [1, 2, 3, 4, 5]
    assert sum(row["n_ratings"] for row in figure.rows) == 2000


def test_columns_of_predicted_against_actual_add_up(pairs: SampledPairs) -> None:
    scores = np.random.default_rng(2).uniform(1, 5, 2000).astype(np.float32)
    figure = score_figures({"dnn": scores}, pairs, np.arange(40))[2]
    for rating in range(1, 6):
        shares = [row["percent"] for row in figure.rows if row["rating"] == rating]
        assert sum(shares) == pytest.approx(100, abs=0.1)
    assert "2,000 test ratings of 50 users" in figure.caption


def test_users_are_picked_by_how_much_they_rated() -> None:
    counts = np.array([0, 3, 10, 5, 80, 7, 20])
    picked = pick_users(counts)
    assert [counts[user] for user in picked.values()] == [7, 10, 20]
    assert pick_users(np.array([1, 0, 1])) == {"occasional": 0, "typical": 0, "keen": 0}


def test_likeness_is_one_for_films_scored_alike() -> None:
    taste = np.random.default_rng(3).normal(size=30)
    scores = np.stack([taste, 2 * taste + 1, -taste], axis=1)
    likeness = _likeness(scores)
    assert likeness[0] == pytest.approx(1)
    assert likeness[2] == pytest.approx(-1)
