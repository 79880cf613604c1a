"""How good the lists of recommendations are: top-k metrics over all unseen items.

Every user of the test subset gets a list of the k best items among all that the train subset knows
and the user has no train (or validation) rating of. An item is relevant to the user if the test
subset has it with at least some rating; relevance is binary, and an item that the user did not
rate counts as not relevant, so that values are low and only comparable under one protocol. For the
list of one user, with hits h_1 … h_k (h_i = 1 if the i-th item is relevant) and R relevant items:

    precision   sum h_i / k
    recall      sum h_i / R
    NDCG        sum h_i / log2(i + 1), divided by its highest value: h_i = 1 for i <= min(R, k)
                (Järvelin and Kekäläinen, "Cumulated Gain-based Evaluation of IR Techniques", ACM
                TOIS 20(4), 2002, with the discount of all ranks that has become usual)
    MAP         sum h_i (h_1 + … + h_i) / i, divided by min(R, k)
    hit rate    1 if any h_i is 1

Each is averaged over the users with at least one relevant item; the others are counted. A list
shorter than k, of a user who has seen nearly all, is filled up with misses. A relevant item
without a train rating can be in nobody's list and still counts in R. Of all lists together, users
without a relevant item included:

    coverage    items that are in any list, divided by items that could be
    popularity  mean number of train ratings of the listed items; the lower, the more novel
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.interactions import rating_words
from bigrec.models.options import check_seed
from bigrec.models.ranking import list_length, top_items
from bigrec.models.scoring import Scorer
from bigrec.resources import SILENT, Budget, Progress
from bigrec.rows import Rows, join_rows

Array = np.ndarray[Any, Any]
ScoreUsers = Callable[[Array], Array]

USER_METRICS: Final = ("precision", "recall", "ndcg", "map", "hit_rate")
"""The columns of `list_metrics`."""
_SCORES_AT_ONCE: Final = 1 << 21
_SCORE_BYTES: Final = 32
"""Bytes for one score of one user while lists are made: scores, copies, masks."""


@dataclass(frozen=True)
class RankingMetrics:
    """How good one model's lists are; definitions in the module."""

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
    tested = np.flatnonzero(data.test.lengths())
    users = tested[user_count[tested] > 0]
    n_cold = len(tested) - len(users)
    if n_users is not None and n_users < len(users):
        users = np.sort(np.random.default_rng(seed).choice(users, n_users, replace=False))
    if not len(users):
        return RankingSummary(top, relevant, 0, 0, n_cold, ())
    rng = np.random.default_rng(seed)
    shape = scorer.spec.n_items
    score_by: Mapping[str, ScoreUsers] = {
        name: scorer.score_users,
        "popularity": lambda block: np.broadcast_to(
            item_count.astype(np.float32), (len(block), shape)
        ),
        "random": lambda block: rng.random((len(block), shape), np.float32),
    }
    tallies = [_Tally(list_name, shape) for list_name in score_by]
    n_relevant_users = 0
    progress.start("ranking", len(users), "users")
    fitting = (budget or Budget()).memory_bytes // 8 // _SCORE_BYTES
    step = max(1, min(_SCORES_AT_ONCE, fitting) // shape)
    for start in range(0, len(users), step):
        block = users[start : start + step]
        seen = join_rows([subset.take(block) for subset in _known_subsets(data)])
        wanted = _at_least(data.test.take(block), relevant)
        has_relevant = wanted.lengths() > 0
        n_relevant_users += int(has_relevant.sum())
        for tally, score in zip(tallies, score_by.values(), strict=True):
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


def list_metrics(listed: Array, relevant: Rows) -> Array:
    """Metrics of each user's list; definitions in the module.

    Args:
        listed: (n_users, k) item indices, best first, -1 for an empty place.
        relevant: rows of the same users: their relevant items.

    Returns:
        (n_users, 5) float64: USER_METRICS. All 0 for a user without relevant items.
    """
    n_users, k = listed.shape
    n_relevant = relevant.lengths()
    hits = np.zeros((n_users, k))
    if relevant.n_ratings:
        base = int(max(listed.max(), relevant.column.max())) + 2
        keys = np.repeat(np.arange(n_users), n_relevant) * base + relevant.column
        hits = np.isin(np.arange(n_users)[:, None] * base + listed, keys) & (listed >= 0)
    rank = np.arange(1, k + 1)
    gains = 1 / np.log2(rank + 1)  # (k,)
    n_hits = hits.sum(axis=1)
    reachable = np.minimum(n_relevant, k)
    best_gain = np.concatenate(([0], np.cumsum(gains)))[reachable]
    precision_at = np.cumsum(hits, axis=1) / rank  # (n_users, k)
    return np.stack(
        [
            n_hits / k,
            n_hits / np.maximum(n_relevant, 1),
            hits @ gains / np.where(reachable > 0, best_gain, 1),
            (hits * precision_at).sum(axis=1) / np.maximum(reachable, 1),
            n_hits > 0,
        ],
        axis=1,
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


def _known_subsets(data: TrainingData) -> Sequence[Rows]:
    return [data.train] if data.validation is None else [data.train, data.validation]


def _at_least(rows: Rows, rating: float) -> Rows:
    """The ratings that are as high or higher."""
    kept = rows.rating >= rating
    before = np.concatenate(([0], np.cumsum(kept)))
    return Rows(before[rows.indptr], rows.column[kept], rows.rating[kept])
