"""EASE, an embarrassingly shallow autoencoder: each item is told by all others, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019); see `fit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.errors import RunError
from bigrec.measures import RANKING_OBJECTIVE
from bigrec.models.contract import FitContext, Model, SavedModel, TrainSubset
from bigrec.models.options import RankingOptions, bounded
from bigrec.models.similarity import ItemSimilarity

if TYPE_CHECKING:
    from bigrec.models.ease.scorer import EaseScorer

Array = np.ndarray[Any, Any]

_WEIGHTS: Final = "weights"


@dataclass(frozen=True)
class EaseOptions(RankingOptions):
    """Hyper-parameters."""

    penalty: float = bounded(500.0, 0.01)
    """L2 penalty on the weights, in users: lambda of the paper, whose author takes 500 for the
    137,000 users of MovieLens 20M, and 1000 for the 463,000 of the Netflix Prize."""


PRESETS: Final = {"tuned": EaseOptions()}


class Ease(Model):
    """Weights between items."""

    name = "ease"
    title = "EASE"
    options_class = EaseOptions
    presets = PRESETS
    objectives = (RANKING_OBJECTIVE,)

    def fit(self, context: FitContext) -> EaseScorer:
        """Count and invert; see `fit`."""
        from bigrec.models.ease.fit import fit_weights
        from bigrec.models.ease.scorer import EaseScorer

        options = context.options
        weights = fit_weights(
            context.rows, context.spec.n_items, positive=options.positive, penalty=options.penalty,
            budget=context.budget, progress=context.progress,
        )  # fmt: skip
        return EaseScorer(context, options.positive, weights)

    def arrays(self, scorer: EaseScorer) -> Mapping[str, Array]:
        """The weights."""
        return {_WEIGHTS: scorer.weights}

    def load(self, saved: SavedModel, subset: TrainSubset) -> EaseScorer:
        """The scorer of the saved weights."""
        from bigrec.models.ease.scorer import EaseScorer

        return EaseScorer(subset, saved.options.positive, _read_weights(saved, subset))

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:
        """By the weights in the score of an item."""
        from bigrec.models.ease.scorer import WeightSimilarity

        return WeightSimilarity(_read_weights(saved, subset))


def _read_weights(saved: SavedModel, subset: TrainSubset) -> Array:
    (weights,) = saved.arrays(_WEIGHTS)
    n_items = subset.spec.n_items
    if weights.shape != (n_items, n_items) or weights.dtype != np.float32:
        raise RunError(
            f"expected weights of {n_items:,} by {n_items:,} float32, found {weights.dtype} of "
            f"shape {weights.shape}",
            hint="train it again with --overwrite",
        )
    return weights


MODEL: Final = Ease()
