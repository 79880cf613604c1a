"""Scores of models that rank: they order the items of one user, and are no ratings.

Such a model learns from positive ratings alone: those of the train subset from some rating on,
whose values are forgotten.
"""

from __future__ import annotations

import abc
from typing import Any, Final, NoReturn

import numpy as np

from bigrec.errors import RunError
from bigrec.models.baseline.bias import Biases
from bigrec.models.scoring import Errors, Scorer
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

_SCORES_AT_ONCE: Final = 1 << 20


class RankingScorer(Scorer):
    """A model that tells the order of items, and no ratings."""

    def __init__(self, rows: Rows, spec: DataSpec, biases: Biases, positive: float) -> None:
        """Hold what every scorer that ranks needs.

        Args:
            rows: the train subset.
            spec: sizes and scale.
            biases: of the train subset, for its counts.
            positive: the rating from which on a train rating is positive.
        """
        super().__init__(rows, spec, biases)
        self.positive = positive

    @abc.abstractmethod
    def score_users(self, users: Array) -> Array:
        """Score every item for some known users: (n_users, n_items) float32."""

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Score pairs, by the scores of whole users: (n,), (n,) to (n,) float32."""
        scores = np.empty(len(user_index), np.float32)
        users, number = np.unique(user_index, return_inverse=True)
        order = np.argsort(number, kind="stable")
        step = max(_SCORES_AT_ONCE // self.spec.n_items, 1)
        starts = range(0, len(users), step)
        ends = np.searchsorted(number[order], [*starts, len(users)])
        for start, first, last in zip(starts, ends[:-1], ends[1:], strict=True):
            pairs = order[first:last]
            whole = self.score_users(users[start : start + step])
            scores[pairs] = whole[number[pairs] - start, item_index[pairs]]
        return scores

    def stands_behind(self, rating: Array) -> Array:
        """The positive ones: (n,) bool."""
        return np.asarray(rating >= self.positive)

    def score_pairs(
        self,
        user_index: Array,  # noqa: ARG002
        item_index: Array,  # noqa: ARG002
        day: Array | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse, as scores of different users cannot be compared."""
        raise self._no_ratings()

    def errors_on(self, subset: Rows) -> Errors:  # noqa: ARG002
        """Refuse, as there are no ratings to be wrong."""
        raise self._no_ratings()

    @staticmethod
    def _no_ratings() -> RunError:
        return RunError(
            "this run ranks: its scores put the items of a user in order, and tell no ratings",
            hint="bigrec recommend gives its lists, bigrec evaluate how good they are; ratings are "
            "told by a run of another model",
        )
