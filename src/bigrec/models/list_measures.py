"""What is measured of lists of recommendations: top-k metrics over all unseen items.

Every user of a subset gets a list of the k best items among all that the train subset knows and the
user has no rating of in the subsets before. An item is relevant to the user if the subset has it
with at least some rating; relevance is binary, and an item that the user did not rate counts as not
relevant, so that values are low and only comparable under one protocol. For the list of one user,
with hits h_1 … h_k (h_i = 1 if the i-th item is relevant) and R relevant items:

    precision   sum h_i / k
    recall      sum h_i / R
    NDCG        sum h_i / log2(i + 1), divided by its highest value: h_i = 1 for i <= min(R, k)
                (Järvelin and Kekäläinen, "Cumulated Gain-based Evaluation of IR Techniques", ACM
                TOIS 20(4), 2002, with the discount of all ranks that has become usual)
    MAP         sum h_i (h_1 + … + h_i) / i, divided by min(R, k)
    hit rate    1 if any h_i is 1

Each is averaged over the users with at least one relevant item. A list shorter than k, of a user
who has seen nearly all, is filled up with misses. A relevant item without a train rating can be in
nobody's list and still counts in R.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from bigrec.errors import SplitError
from bigrec.interactions import rating_words
from bigrec.models.ranking import list_length, top_items
from bigrec.models.scoring import Scorer
from bigrec.resources import Budget
from bigrec.rows import DataSpec, Rows, join_rows

Array = np.ndarray[Any, Any]

USER_METRICS: Final = ("precision", "recall", "ndcg", "map", "hit_rate")
"""The columns of `list_metrics`."""
LENGTH: Final = 10
"""Of the lists by which runs are judged."""
NO_FALLBACK: Final = (
    "nothing: a user without a train rating gets no list, and such an item is in none"
)
"""How a pair is scored that a model cannot rank."""

_SCORES_AT_ONCE: Final = 1 << 21
_SCORE_BYTES: Final = 32
"""Bytes for one score of one user while lists are made: scores, copies, masks."""


class UserBlock(NamedTuple):
    """Some users whose lists are made at once."""

    users: Array
    """(n,) int, their user_index."""
    seen: Rows
    """What they have rated before: no list has it."""
    wanted: Rows
    """What is relevant to them."""


@dataclass(frozen=True)
class ListQuality:
    """How good a model's lists are in one subset, with the fields of Errors that a run keeps."""

    measures: dict[str, float]
    """Means over users by the names of bigrec.measures, ndcg@10 first."""
    n: int
    """Ratings of the subset."""
    n_unranked: int
    """Those of them whose user or item has no train rating."""

    def test_record(self) -> dict[str, Any]:
        """The fields of RunMetrics that lists of the test subset fill."""
        return {
            "test": self.measures,
            "n_test": self.n,
            "n_fallback": self.n_unranked,
            "fallback": NO_FALLBACK,
        }


def measure_quality(
    scorer: Scorer, subset: Rows, known: Sequence[Rows], *, name: str, budget: Budget
) -> ListQuality:
    """Measure the lists of all users of one subset, streamed.

    An item is relevant from DataSpec.relevant on, whatever a model learned from, so that runs of
    one split can be compared.

    Args:
        scorer: the model.
        subset: what was chosen.
        known: the subsets before it, train first: what the users have seen.
        name: of the subset, for the error.
        budget: memory that scores may take an eighth of.

    Raises:
        SplitError: no user with a train rating has a relevant item in the subset.
        RunError: the model gives scores that are no numbers.
    """
    check_relevant(subset, scorer.biases.user_count, scorer.spec, name)
    item_count, n_items = scorer.biases.item_count, scorer.spec.n_items
    users, _ = users_with_train_rows(subset, scorer.biases.user_count)
    top = list_length(LENGTH, n_items)
    sums, n_users = np.zeros(len(USER_METRICS)), 0
    for block, seen, wanted in user_blocks(
        users, subset, known, scorer.spec.relevant, n_items=n_items, budget=budget
    ):
        listed = top_items(scorer.score_users(block), seen, item_count, top)
        sums += list_metrics(listed, wanted).sum(axis=0)
        n_users += int(np.count_nonzero(wanted.lengths()))
    means = dict(zip(USER_METRICS, (sums / n_users).tolist(), strict=True))
    order = sorted(means, key=lambda metric: metric != "ndcg")
    cold = sum(
        int(scorer.biases.is_cold(user, item).sum())
        for user, item, _, _ in subset.pair_chunks(_SCORES_AT_ONCE)
    )
    return ListQuality(
        {f"{metric}@{LENGTH}": means[metric] for metric in order}, subset.n_ratings, cold
    )


def check_relevant(subset: Rows, user_count: Array, spec: DataSpec, name: str) -> None:
    """Make sure that there are lists to measure.

    Args:
        subset: what was chosen.
        user_count: (n_users,) int, train ratings of each user.
        spec: the scale.
        name: of the subset, for the error.

    Raises:
        SplitError: no user with a train rating has a relevant item in the subset.
    """
    users, _ = users_with_train_rows(subset, user_count)
    if not at_least(subset.take(users), spec.relevant).n_ratings:
        raise SplitError(
            f"expected somebody with train ratings and a rating of "
            f"{rating_words(spec.relevant, spec.unit)} or more in the {name} subset, found nobody: "
            "lists cannot be judged",
            hint="make a split with a larger subset: bigrec split create NAME --test-fraction 0.2",
        )


def users_with_train_rows(subset: Rows, user_count: Array) -> tuple[Array, int]:
    """The users of a subset who get lists, ascending, and how many others there are.

    Args:
        subset: whose users are meant.
        user_count: (n_users,) int, train ratings of each user.
    """
    users = np.flatnonzero(subset.lengths())
    known = users[user_count[users] > 0]
    return known, len(users) - len(known)


def user_blocks(
    users: Array,
    subset: Rows,
    known: Sequence[Rows],
    relevant: float,
    *,
    n_items: int,
    budget: Budget,
) -> Iterator[UserBlock]:
    """Users in blocks of at most 2 million scores, of fewer where the budget is small.

    Args:
        users: (n,) int, whose lists are wanted.
        subset: what was chosen.
        known: the subsets before it.
        relevant: the rating from which on an item of the subset is relevant.
        n_items: scores of a user.
        budget: memory that scores may take an eighth of.
    """
    fitting = budget.memory_bytes // 8 // _SCORE_BYTES
    step = max(1, min(_SCORES_AT_ONCE, fitting) // n_items)
    for start in range(0, len(users), step):
        block = users[start : start + step]
        seen = join_rows([rows.take(block) for rows in known])
        yield UserBlock(block, seen, at_least(subset.take(block), relevant))


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


def at_least(rows: Rows, rating: float) -> Rows:
    """The ratings that are as high or higher, without days."""
    kept = rows.rating >= rating
    before = np.concatenate(([0], np.cumsum(kept)))
    return Rows(before[rows.indptr], rows.column[kept], rows.rating[kept])
