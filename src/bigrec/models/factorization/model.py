"""Matrix factorization with biases: mean + b_u + b_m + p_u · q_m.

The model of Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems" (IEEE
Computer 42(8), 2009). The notebook's preset penalises whole embedding tables at every step, which
drives the factors to zero; the tuned one penalises the rows in use and starts from fitted biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import SavedModel, TrainSubset
from bigrec.models.factorization.scorer import Factors, FactorScorer
from bigrec.models.gradient_model import GradientModel, StepPlan
from bigrec.models.options import GradientOptions, bounded
from bigrec.models.similarity import ItemSimilarity, VectorSimilarity
from bigrec.rows import DataSpec

if TYPE_CHECKING:
    import keras

    from bigrec.models.keras_scorer import KerasScorer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FactorOptions(GradientOptions):
    """Hyper-parameters of any model with a table of users and one of items."""

    embedding_size: int = bounded(10, 1, 1024)
    """Factors of a user and of an item."""
    row_l2: float = bounded(0.0, 0)
    """L2 penalty on the factor rows of a batch."""
    row_l2_power: float = bounded(0.0, 0, 1)
    """That penalty falls with the train ratings of its row, n, as n^-power. 0: a row is penalised
    as often as it occurs; 1: once an epoch, however often it occurs."""
    implicit_l2: float = bounded(0.0, 0)
    """L2 penalty on the implicit terms, a rating: with them, row_l2 draws a row towards a mean that
    its ratings' existence explains, instead of towards 0. 0: no implicit terms."""
    bias_l2: float = bounded(0.0, 0)
    """L2 penalty on the trained biases of a batch."""
    initial_deviation: float = bounded(0.05, 0)
    """Factors start uniform within plus and minus this."""
    start_from_biases: bool = False
    """Whether the score is counted from a fitted bias model instead of the mean."""


@dataclass(frozen=True)
class MatrixFactorizationOptions(FactorOptions):
    """Hyper-parameters of matrix factorization; the defaults are the notebook's."""

    table_l2: float = bounded(0.02, 0)
    """L2 penalty on all rows of both factor tables at every step."""


PRESETS: Final = {
    "notebook": MatrixFactorizationOptions(),
    "tuned": MatrixFactorizationOptions(
        epochs=16, optimizer="adaptive", learning_rate=0.15, embedding_size=64, table_l2=0.0,
        row_l2=0.7, row_l2_power=0.25, implicit_l2=0.3, bias_l2=0.01, initial_deviation=0.2,
        start_from_biases=True,
    ),
}  # fmt: skip


class MatrixFactorization(GradientModel):
    """Factors and biases, trained by steps; once trained, scores are dot products of arrays."""

    name = "matrix-factorization"
    title = "Matrix factorization"
    options_class = MatrixFactorizationOptions
    presets = PRESETS

    def plan(self, options: MatrixFactorizationOptions) -> StepPlan:
        """On pairs."""
        return plan_factors(options)

    def build(
        self,
        spec: DataSpec,
        options: MatrixFactorizationOptions,
        biases: Biases,
        policy: str = "float32",  # noqa: ARG002 - it has no dense layers
    ) -> keras.Model:
        """The untrained network."""
        from bigrec.models.factorization.network import build

        return build(spec, options, biases)

    def arrays(self, scorer: KerasScorer) -> Mapping[str, Array]:
        """The fields of Factors; fitted and trained biases are summed."""
        from bigrec.models.factorization.network import represent

        return represent(scorer.model)

    def needs_keras(self, options: Any) -> bool:  # noqa: ARG002
        """The arrays suffice."""
        return False

    def load(self, saved: SavedModel, subset: TrainSubset) -> FactorScorer:
        """The scorer of the saved factors."""
        return load_factors(saved, subset)

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:  # noqa: ARG002
        """By the factors of the items."""
        return VectorSimilarity(*saved.arrays("item_factors"))


def plan_factors(
    options: FactorOptions, sizes: tuple[str, ...] = ("embedding_size",), **more: Any
) -> StepPlan:
    """How a model with a table of users and one of items is trained, on pairs.

    Args:
        options: its hyper-parameters.
        sizes: see StepPlan.
        **more: other fields of the plan.
    """
    penalty = options if options.row_l2 else None
    return StepPlan(
        "pairs", penalty=penalty, keeps_prior=options.implicit_l2 > 0, sizes=sizes, **more
    )


def load_factors(saved: SavedModel, subset: TrainSubset) -> FactorScorer:
    """The scorer of a run that keeps the fields of Factors."""
    factors = Factors(*saved.arrays(*(field.name for field in fields(Factors))))
    return FactorScorer(factors, subset.rows, subset.spec, subset.biases)


MODEL: Final = MatrixFactorization()
