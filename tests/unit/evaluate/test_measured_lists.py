"""The streamed evaluation of lists, against loops over users on data of a few of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.naive_metrics import naive_metrics
from tests.support.packed_pairs import SHARDS
from tests.support.table_scorer import TableScorer

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.evaluate.ranking import RankingSummary, measure_lists
from bigrec.models import list_measures
from bigrec.models.list_measures import USER_METRICS
from bigrec.models.ranking import top_items
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

N_USERS, N_ITEMS, K = 30, 25, 4
SPEC = DataSpec(N_USERS, N_ITEMS, 3.0, 1.0, 5.0)


def rows_of(ratings: Array) -> Rows:
    user, item = np.nonzero(ratings)
    lengths = np.bincount(user, minlength=len(ratings))
    return Rows(
        np.concatenate(([0], np.cumsum(lengths))),
        item.astype(np.int32),
        ratings[user, item].astype(np.float32),
    )


class Case:
    """Random ratings in three subsets, and scores."""

    def __init__(self, tmp_path: Path) -> None:
        random = np.random.default_rng(5)
        ratings = random.integers(1, 6, (N_USERS, N_ITEMS))
        subset = random.choice(4, (N_USERS, N_ITEMS), p=[0.4, 0.3, 0.1, 0.2])  # 0: not rated
        subset[3, subset[3] == 1] = 0  # a user without a train rating
        subset[:, 7] = np.where(subset[:, 7] == 1, 3, subset[:, 7])  # and an item
        self.train, self.validation, self.test = (
            np.where(subset == number, ratings, 0) for number in (1, 2, 3)
        )
        self.test[5] = np.minimum(self.test[5], 2)  # nothing that the user likes
        self.table = random.integers(0, 12, (N_USERS, N_ITEMS)).astype(np.float32)
        self.scorer = TableScorer(self.table, rows_of(self.train), SPEC)
        self.data = TrainingData(tmp_path, "s", "digest", "protocol", SPEC, *SHARDS[:0:-1])
        self.data.__dict__.update(  # what the cached properties would read
            train=self.scorer.rows,
            validation=rows_of(self.validation),
            test=rows_of(self.test),
        )


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def naive(case: Case, scores: Array) -> dict[str, float]:
    count = np.count_nonzero(case.train, axis=0)
    metrics, listed_items = [], []
    for user in range(N_USERS):
        if not case.train[user].any() or not case.test[user].any():
            continue
        seen = (case.train[user] > 0) | (case.validation[user] > 0)
        keys = [
            (-scores[user, item], -count[item], item)
            for item in range(N_ITEMS)
            if count[item] and not seen[item]
        ]
        listed = [int(key[2]) for key in sorted(keys)[:K]]
        listed_items += listed
        relevant = set(np.flatnonzero(case.test[user] >= 4).tolist())
        if relevant:
            metrics.append(naive_metrics(listed + [-1] * (K - len(listed)), relevant))
    means = {name: float(np.mean([own[name] for own in metrics])) for name in USER_METRICS}
    return means | {
        "coverage": len(set(listed_items)) / np.count_nonzero(count),
        "popularity": float(np.mean(count[listed_items])),
    }


def row_of(summary: RankingSummary, name: str) -> dict[str, float]:
    row = next(row for row in summary.rows if row.name == name)
    return {field: getattr(row, field) for field in (*USER_METRICS, "coverage", "popularity")}


def test_lists_are_measured_as_a_naive_loop_does(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure_lists("run", case.scorer, case.data, top=K)
    monkeypatch.setattr(list_measures, "_SCORES_AT_ONCE", 4 * N_ITEMS)  # blocks of four users
    summary = measure_lists("run", case.scorer, case.data, top=K)
    for name in ("run", "popularity", "random"):
        assert row_of(summary, name) == pytest.approx(row_of(whole, name))
    assert row_of(summary, "run") == pytest.approx(naive(case, case.table))
    count = np.count_nonzero(case.train, axis=0)
    by_count = np.broadcast_to(count, case.table.shape)
    assert row_of(summary, "popularity") == pytest.approx(naive(case, by_count))
    assert summary.n_cold == 1
    assert summary.n_without_relevant >= 1
    random_row = row_of(summary, "random")
    assert random_row["coverage"] > row_of(summary, "popularity")["coverage"]


def test_a_sample_of_users_is_measured_on_request(case: Case) -> None:
    summary = measure_lists("run", case.scorer, case.data, top=K, n_users=6)
    assert summary.n_users + summary.n_without_relevant == 6


def test_a_threshold_that_nobody_reaches_is_refused(case: Case) -> None:
    with pytest.raises(RunError, match="no user of the test subset has a rating"):
        measure_lists("run", case.scorer, case.data, relevant=5.5)


@pytest.mark.parametrize("top", [N_ITEMS, N_ITEMS + 1, 3_000_000, 10**20])
def test_lists_end_with_the_items_and_take_no_more_memory(case: Case, top: int) -> None:
    summary = measure_lists("run", case.scorer, case.data, top=top)
    assert summary.top == N_ITEMS
    assert summary == measure_lists("run", case.scorer, case.data, top=N_ITEMS)


@pytest.mark.parametrize("top", [0, -1, 1.5, math.nan, "3", None, True])
def test_what_is_no_length_is_refused(case: Case, top: Any) -> None:
    with pytest.raises(SettingsError, match="expected a list of at least 1 item"):
        measure_lists("run", case.scorer, case.data, top=top)


@pytest.mark.parametrize("relevant", [math.nan, math.inf, -math.inf, "4", True])
def test_a_rating_that_is_none_is_refused(case: Case, relevant: Any) -> None:
    with pytest.raises(SettingsError, match="expected the number from which on a rating"):
        measure_lists("run", case.scorer, case.data, relevant=relevant)


@pytest.mark.parametrize("n_users", [0, -1, 1.5, math.nan])
def test_numbers_of_users_that_are_none_are_refused(case: Case, n_users: Any) -> None:
    with pytest.raises(SettingsError, match="expected at least 1 user"):
        measure_lists("run", case.scorer, case.data, n_users=n_users)


def test_the_hint_names_stars_that_somebody_gave(case: Case) -> None:
    case.data.__dict__["test"] = rows_of(np.minimum(case.test, 2))
    for relevant, scale in (
        (4.0, "the highest rating of the test subset is 2"),
        (9.0, "from 1 to 5"),
    ):
        with pytest.raises(RunError) as caught:
            measure_lists("run", case.scorer, case.data, relevant=relevant)
        assert scale in caught.value.hint
        assert "--relevant 2 or less" in caught.value.hint


def test_a_test_subset_of_strangers_has_no_lists(case: Case) -> None:
    alone = np.zeros_like(case.test)
    alone[3, :5] = 4  # the user without a train rating
    case.data.__dict__["test"] = rows_of(alone)
    summary = measure_lists("run", case.scorer, case.data, top=K)
    assert (summary.n_users, summary.n_cold, summary.rows) == (0, 1, ())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_nowhere_silent(case: Case, value: float) -> None:
    user, item = np.argwhere(case.train > 0)[0]
    case.table[user, item] = value
    users = np.array([user])
    for use in (
        lambda: case.scorer.score_pairs(users, np.array([item])),
        lambda: case.scorer.errors_on(rows_of(np.ones_like(case.train))),
        lambda: measure_lists("run", case.scorer, case.data),
        lambda: top_items(
            case.scorer.score_users(users), rows_of(np.zeros((1, N_ITEMS))),
            case.scorer.biases.item_count, K,
        ),
    ):  # fmt: skip
        with pytest.raises(RunError, match="are no finite numbers"):
            use()
