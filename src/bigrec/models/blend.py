"""A blend: a weighted sum of several models' scores, the weights depending on support.

    score = b + w_0 + w_u u + w_m m + sum_c (w_c + w_cu u + w_cm m) (s_c - b)

where b is the bias model's score, s_c the score of component c, and u and m the logarithms of
1 + train ratings of the user and of the item, standardized. The weights are a ridge regression of
rating - b on those terms (Breiman, "Stacked Regressions", Machine Learning 24, 1996). That a weight
may change with how much is known of the pair is feature-weighted linear stacking (Sill, Takács,
Mackey, Lin, arXiv 0911.0460, 2009), from the Netflix Prize.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.models.baseline.bias import USER_PENALTY, Biases
from bigrec.models.contract import RunModel, SavedModel, TrainSubset
from bigrec.models.options import RatingOptions
from bigrec.models.scoring import Graph, Scorer
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

BLEND: Final = "blend"
"""The name of this model in a run's config."""


@dataclass(frozen=True)
class ComponentWeights:
    """What one component counts."""

    run: str
    """Name of its run."""
    weight: float
    """w_c: at a user and an item of average support."""
    by_user: float
    """w_cu: how the weight grows with the support of the user."""
    by_item: float
    """w_cm: how the weight grows with the support of the item."""


@dataclass(frozen=True)
class Support:
    """How train counts become u or m: (log(1 + count) - center) / spread."""

    center: float
    """Mean of log(1 + count) over the pairs that were fitted."""
    spread: float
    """Standard deviation, likewise; 1 where all are equal."""

    @classmethod
    def of(cls, count: Array) -> Support:
        """That of these counts, one a pair."""
        logs = np.log1p(count)
        return cls(float(logs.mean()), float(logs.std()) or 1.0)

    def standardize(self, count: Array) -> Array:
        """Counts to float32 numbers around 0."""
        return ((np.log1p(count) - self.center) / self.spread).astype(np.float32)


@dataclass(frozen=True)
class BlendWeights:
    """All the numbers of a blend."""

    components: tuple[ComponentWeights, ...]
    intercept: float
    """w_0, in stars."""
    by_user: float
    """w_u, in stars."""
    by_item: float
    """w_m, in stars."""
    user_support: Support
    item_support: Support
    penalty: float
    """Ridge penalty that leave-one-out errors chose."""
    n_fitted: int
    """Pairs that the weights were fitted to."""

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> BlendWeights:
        """The weights that `dataclasses.asdict` wrote."""
        parsed = {
            "components": tuple(ComponentWeights(**own) for own in fields["components"]),
            "user_support": Support(**fields["user_support"]),
            "item_support": Support(**fields["item_support"]),
        }
        return cls(**{**fields, **parsed})

    def combine(self, base: Any, scores: Sequence[Any], user: Any, item: Any) -> Any:
        """Blend scores, as arrays or tensors of any shapes that broadcast.

        Args:
            base: the bias model's scores.
            scores: of each component.
            user: standardized support of the user of each score.
            item: likewise of the item.
        """
        total = base + self.intercept + self.by_user * user + self.by_item * item
        for own, score in zip(self.components, scores, strict=True):
            weight = own.weight + own.by_user * user + own.by_item * item
            total = total + weight * (score - base)
        return total


class Blend(Scorer):
    """Scores of several models of one split, blended."""

    def __init__(
        self,
        components: Sequence[Scorer],
        weights: BlendWeights,
        rows: Rows,
        spec: DataSpec,
        biases: Biases,
    ) -> None:
        super().__init__(rows, spec, biases)
        self.components = tuple(components)
        self.weights = weights
        self.user_support = weights.user_support.standardize(biases.user_count)
        self.item_support = weights.item_support.standardize(biases.item_count)

    def use_threads(self, threads: int) -> None:
        """Score with so many threads, as all components do."""
        super().use_threads(threads)
        for one in self.components:
            one.use_threads(threads)

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Blend the components' scores of pairs: (n,) float32."""
        blended = self.weights.combine(
            self.biases.score_pairs(user_index, item_index),
            [one.score_warm_pairs(user_index, item_index) for one in self.components],
            self.user_support[user_index],
            self.item_support[item_index],
        )
        return np.asarray(blended, np.float32)

    def score_users(self, users: Array) -> Array:
        """Blend the components' scores of whole users: (n_users, n_items) float32."""
        biases = self.biases
        blended = self.weights.combine(
            biases.mean + biases.user[users, None] + biases.item,  # (n_users, n_items)
            [one.score_users(users) for one in self.components],
            self.user_support[users, None],  # (n_users, 1)
            self.item_support,  # (n_items,)
        )
        return np.asarray(blended, np.float32)

    def fold_in(self, item_index: Array, rating: Array) -> Array:
        """Blend what the components score for a new person, if all of them can.

        The person's bias is that of a user with these ratings, given the items' biases.
        """
        biases, n = self.biases, len(rating)
        residual = rating - biases.mean - biases.item[item_index]
        blended = self.weights.combine(
            biases.mean + residual.sum() / (n + USER_PENALTY) + biases.item,
            [one.fold_in(item_index, rating) for one in self.components],
            self.weights.user_support.standardize(np.array([n])),
            self.item_support,
        )
        return np.asarray(blended, np.float32)

    def graph(self) -> Graph | None:
        """The components' graphs, blended; None if one of them has none."""
        graphs = [one.graph() for one in self.components]
        there = [graph for graph in graphs if graph is not None]
        if len(there) < len(graphs):
            return None
        from bigrec.models.blend_graph import BlendGraph  # late: it loads TensorFlow

        return BlendGraph(self, there)


class BlendModel(RunModel):
    """What makes a scorer of a run that is a blend; `bigrec.train.blend` makes the run."""

    name = BLEND
    title = "Blend"
    options_class = RatingOptions

    def load(self, saved: SavedModel, subset: TrainSubset) -> Blend:
        """The components, blended by the weights in the run's config."""
        weights = BlendWeights.from_json(saved.details["weights"])
        return Blend(saved.components(), weights, subset.rows, subset.spec, subset.biases)


MODEL: Final = BlendModel()
