"""How good the lists of recommendations are, beside those by popularity and at random.

What is measured of each user's list stands in bigrec.models.list_measures; each measure is averaged
over the users of the test subset with at least one relevant item, and the others are counted. Of
all lists together, users without a relevant item included:

    coverage    items that are in any list, divided by items that could be
    popularity  mean number of train ratings of the listed items; the lower, the more novel
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.interactions import rating_words
from bigrec.models.list_measures import (
    USER_METRICS,
    list_metrics,
    user_blocks,
    users_with_train_rows,
)
from bigrec.models.options import check_seed
from bigrec.models.ranking import list_length, top_items
from bigrec.models.scoring import Scorer
from bigrec.resources import SILENT, Budget, Progress

Array = np.ndarray[Any, Any]
ScoreUsers = Callable[[Array], Array]


@dataclass(frozen=True)
class RankingMetrics:
    """How good one model's lists are; definitions in bigrec.models.list_measures and above."""

    name: str
    """Of the run, or popularity or random."""
    precision: float
    recall: float
    ndcg: float
    map: float
    hit_rate: float
    coverage: float
    popularity: float


@dataclass(frozen=True)
class RankingSummary:
    """The lists of a run and of the baselines, over the same users."""

    top: int
    """Length of a list."""
    relevant: float
    """The rating from which on a test rating is relevant."""
    n_users: int
    """Users with a relevant item, whom the averages are over."""
    n_without_relevant: int
    """Users of the test subset whose test ratings are all lower."""
    n_cold: int
    """Users of the test subset without a train rating, who get no list."""
    rows: tuple[RankingMetrics, ...]
    """The run's, then those of the baselines."""


def measure_lists(
    name: str,
    scorer: Scorer,
    data: TrainingData,
    *,
    top: int = 10,
    relevant: float | None = None,
    n_users: int | None = None,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> RankingSummary:
    """Measure a run's lists beside those by popularity and at random.

    Users are scored in blocks of at most 2 million scores, of fewer where the budget is small, so
    memory grows neither with users nor with items.

    Args:
        name: of the run.
        scorer: its model.
        data: the split that it was trained on.
        top: length of a list, at least 1; cut to the number of items.
        relevant: the rating from which on a test rating is relevant; DataSpec.relevant if None.
        n_users: measure on so many users, drawn at random; None for all of the test subset.
        seed: of that draw and of the random baseline.
        budget: memory that scores may take an eighth of.
        progress: told of finished users.

    Returns:
        The summary; without rows where no user of the test subset has a train rating.

    Raises:
        SettingsError: a value of these that cannot be.
        RunError: no user has a relevant item, or the model gives scores that are no numbers.
    """
    top = list_length(top, data.spec.n_items)
    check_options(relevant, n_users, seed)
    if relevant is None:
        relevant = data.spec.relevant
    item_count, user_count = scorer.biases.item_count, scorer.biases.user_count
    users, n_cold = users_with_train_rows(data.test, user_count)
    if n_users is not None and n_users < len(users):
        users = np.sort(np.random.default_rng(seed).choice(users, n_users, replace=False))
    if not len(users):
        return RankingSummary(top, relevant, 0, 0, n_cold, ())
    rng = np.random.default_rng(seed)
    shape = scorer.spec.n_items
    score_by: list[tuple[str, ScoreUsers]] = [
        (name, scorer.score_users),
        (
            "popularity",
            lambda block: np.broadcast_to(item_count.astype(np.float32), (len(block), shape)),
        ),
        ("random", lambda block: rng.random((len(block), shape), np.float32)),
    ]
    tallies = [_Tally(list_name, shape) for list_name, _ in score_by]
    n_relevant_users = 0
    progress.start("ranking", len(users), "users")
    known = [data.train] if data.validation is None else [data.train, data.validation]
    for block, seen, wanted in user_blocks(
        users, data.test, known, relevant, n_items=shape, budget=budget or Budget()
    ):
        has_relevant = wanted.lengths() > 0
        n_relevant_users += int(has_relevant.sum())
        for tally, (_, score) in zip(tallies, score_by, strict=True):
            listed = top_items(score(block), seen, item_count, top)
            tally.add(listed, list_metrics(listed, wanted)[has_relevant])
        progress.advance(len(block), len(block))
    if not n_relevant_users:
        raise RunError(
            "no user of the test subset has a rating of "
            f"{rating_words(relevant, data.spec.unit)} or more",
            hint=_advise(data, relevant),
        )
    return RankingSummary(
        top=top,
        relevant=relevant,
        n_users=n_relevant_users,
        n_without_relevant=len(users) - n_relevant_users,
        n_cold=n_cold,
        rows=tuple(tally.result(n_relevant_users, item_count) for tally in tallies),
    )


def check_options(relevant: float | None, n_users: int | None, seed: int) -> None:
    """Refuse what `measure_lists` cannot use, before anything is loaded; its arguments.

    Raises:
        SettingsError: a value of these that cannot be.
    """
    is_number = isinstance(relevant, int | float) and not isinstance(relevant, bool)
    if relevant is not None and not (is_number and math.isfinite(relevant)):
        raise SettingsError(
            f"expected the number from which on a rating is relevant, found {relevant}",
            hint="for example --relevant 4",
        )
    if n_users is not None and (not isinstance(n_users, int) or n_users < 1):
        raise SettingsError(f"expected at least 1 user, found {n_users}")
    check_seed(seed)


def _advise(data: TrainingData, relevant: float) -> str:
    """What --relevant may be, by the scale and by what the test subset holds of it."""
    spec, highest = data.spec, float(data.test.rating.max())
    scale = f"the scale goes from {spec.min_rating:g} to {spec.max_rating:g}"
    if relevant > spec.max_rating:
        return f"{scale}: give --relevant {highest:g} or less"
    return (
        f"the highest rating of the test subset is {highest:g}: give --relevant {highest:g} or less"
    )


class _Tally:
    """Sums over users of one kind of list."""

    def __init__(self, name: str, n_items: int) -> None:
        self._name = name
        self._sums = np.zeros(len(USER_METRICS))
        self._times_listed = np.zeros(n_items, np.int64)

    def add(self, listed: Array, metrics: Array) -> None:
        self._sums += metrics.sum(axis=0)
        self._times_listed += np.bincount(listed[listed >= 0], minlength=len(self._times_listed))

    def result(self, n_users: int, item_count: Array) -> RankingMetrics:
        times = self._times_listed
        means = dict(zip(USER_METRICS, (self._sums / n_users).tolist(), strict=True))
        return RankingMetrics(
            name=self._name,
            coverage=float(np.count_nonzero(times) / np.count_nonzero(item_count)),
            popularity=float(times @ item_count.astype(np.int64) / max(times.sum(), 1)),
            **means,
        )
