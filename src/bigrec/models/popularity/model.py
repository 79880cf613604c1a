"""Popularity: the score of an item is how many have liked it, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from bigrec.measures import RANKING_OBJECTIVE
from bigrec.models.contract import FitContext, Model, SavedModel, TrainSubset
from bigrec.models.options import RankingOptions
from bigrec.models.ranking_scorer import RankingScorer
from bigrec.models.similarity import ItemSimilarity, PositiveSimilarity

Array = np.ndarray[Any, Any]

PRESETS: Final = {"tuned": RankingOptions()}

_ROWS_AT_ONCE: Final = 1 << 20


class PopularityScorer(RankingScorer):
    """Scores that depend on the item alone."""

    def __init__(self, subset: TrainSubset, positive: float, n_positive: Array) -> None:
        """Take the counts.

        Args:
            subset: the train subset.
            positive: the rating from which on a rating is positive.
            n_positive: (n_items,) int64, positive train ratings of each item.
        """
        super().__init__(subset.rows, subset.spec, subset.biases, positive)
        self.n_positive = n_positive

    def score_users(self, users: Array) -> Array:
        """The counts, for each user: (n_users, n_items) float32."""
        scores = self.n_positive.astype(np.float32)
        return np.broadcast_to(scores, (len(users), len(scores)))

    def fold_in(self, item_index: Array, rating: Array) -> Array:  # noqa: ARG002
        """The counts, for anybody."""
        return self.n_positive.astype(np.float32)

    def stands_behind(self, rating: Array) -> Array:
        """None: what a person rates does not matter here."""
        return np.zeros(len(rating), bool)


class Popularity(Model):
    """Counting."""

    name = "popularity"
    title = "Popularity"
    options_class = RankingOptions
    presets = PRESETS
    objectives = (RANKING_OBJECTIVE,)

    def fit(self, context: FitContext) -> PopularityScorer:
        """Count the positive ratings of each item."""
        positive = context.options.positive
        counts = np.zeros(context.spec.n_items, np.int64)
        for _, item, rating, _ in context.rows.pair_chunks(_ROWS_AT_ONCE):
            counts += np.bincount(item[rating >= positive], minlength=len(counts))
        return PopularityScorer(context, positive, counts)

    def arrays(self, scorer: PopularityScorer) -> Mapping[str, Array]:
        """The counts."""
        return {"n_positive": scorer.n_positive}

    def load(self, saved: SavedModel, subset: TrainSubset) -> PopularityScorer:
        """The scorer of the saved counts."""
        (counts,) = saved.arrays("n_positive")
        return PopularityScorer(subset, saved.options.positive, counts)

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:
        """By who likes both."""
        return PositiveSimilarity(subset.rows, subset.spec.n_items, saved.options.positive)


MODEL: Final = Popularity()
