"""Nearest neighbors by cosine similarity, of users or of items: what there is to choose.

The notebook preset is the notebook's engine: rows filled with the user's mean, cosines of all
users, ratings averaged over the hundred most similar, whether they saw the item or not. Its
settings can be changed one by one into the tuned preset, which compares items by what the bias
model leaves over, and by who has rated them at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.models.contract import FitContext, Model, SavedModel, TrainSubset
from bigrec.models.options import RatingOptions, bounded, choice
from bigrec.models.similarity import (
    NEIGHBOR_INDEX,
    NEIGHBOR_SIMILARITY,
    ItemSimilarity,
    ListSimilarity,
)

if TYPE_CHECKING:
    from bigrec.models.knn.scorer import NeighborScorer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class CosineKnnOptions(RatingOptions):
    """Hyper-parameters of the neighbors; the defaults are the notebook's."""

    basis: str = choice("user", "user", "item")
    """Whose neighbors are sought: users near the user, or items near the item."""
    neighbors: int = bounded(100, 1)
    """Neighbors that a score is made from."""
    candidates: int = bounded(0, 0)
    """Neighbors kept, of which a score takes the first that it can use; at least neighbors."""
    deviation: str = choice("mean", "mean", "biases")
    """What a rating is counted from: the mean of the user (of the item), or the bias model."""
    filled: bool = True
    """Whether rows are filled with their mean before cosines are taken."""
    support: float = bounded(0.0, 0)
    """Common ratings at which a cosine counts half; 0 takes every cosine as it is."""
    co_rating: float = bounded(0.0, 0, 1e6)
    """Weight of the correlation of having been rated at all, added to the cosine."""
    own_level: bool = False
    """Whether neighbors add their deviations to the target's own level, not their ratings."""
    only_raters: bool = False
    """Whether only neighbors with a rating count."""
    power: float = bounded(1.0, 0, 100)
    """Exponent that turns a similarity into a weight."""
    shrinkage: float = bounded(0.0, 0)
    """Added to the sum of weights, so that few or weak neighbors say little."""


PRESETS: Final = {
    "notebook": CosineKnnOptions(),
    "tuned": CosineKnnOptions(
        basis="item", neighbors=30, candidates=1000, deviation="biases", filled=False,
        support=20.0, co_rating=0.5, own_level=True, only_raters=True, power=2.0, shrinkage=0.03,
    ),
}  # fmt: skip


class CosineKnn(Model):
    """Lists of neighbors, found at once."""

    name = "cosine-knn"
    title = "User-cosine neighbors"
    options_class = CosineKnnOptions
    presets = PRESETS

    # The compiled loops take time to load; who only reads the options does without.

    def fit(self, context: FitContext) -> NeighborScorer:
        """Find all neighbors; see `fit`."""
        from bigrec.models.knn.fit import fit_neighbors

        return fit_neighbors(context)

    def arrays(self, scorer: NeighborScorer) -> Mapping[str, Array]:
        """The arrays of NeighborLists."""
        return {field.name: getattr(scorer.lists, field.name) for field in fields(scorer.lists)}

    def load(self, saved: SavedModel, subset: TrainSubset) -> NeighborScorer:
        """The scorer of the saved lists."""
        from bigrec.models.knn.rule import NeighborRule
        from bigrec.models.knn.scorer import NeighborLists, NeighborScorer

        lists = NeighborLists(*saved.arrays(*(field.name for field in fields(NeighborLists))))
        by_item = saved.options.basis == "item"
        saved.indices(NEIGHBOR_INDEX, subset.spec.n_items if by_item else subset.spec.n_users)
        rule = NeighborRule.of(asdict(saved.options))
        return NeighborScorer(lists, rule, subset.rows, subset.spec, subset.biases)

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:
        """As the search found it, if its lists are of items."""
        if saved.options.basis == "item":
            return ListSimilarity(*saved.arrays(NEIGHBOR_INDEX, NEIGHBOR_SIMILARITY))
        return super().similarity(saved, subset)


MODEL: Final = CosineKnn()
