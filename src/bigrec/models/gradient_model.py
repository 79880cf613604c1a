"""What a model that is trained by gradient steps tells the training stage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from bigrec.models.contract import FitContext, Model, SavedModel, TrainSubset

if TYPE_CHECKING:
    from bigrec.models.baseline.bias import Biases
    from bigrec.models.options import GradientOptions
    from bigrec.models.scoring import Scorer
    from bigrec.rows import DataSpec

Array = np.ndarray[Any, Any]

LoopKind = Literal["pairs", "rows", "codes"]


class TablePenalty(Protocol):
    """Penalties on the rows of both embedding tables; see bigrec.train.priors."""

    @property
    def embedding_size(self) -> int:
        """Values of a row."""

    @property
    def row_l2(self) -> float:
        """L2 penalty on the rows of a batch."""

    @property
    def row_l2_power(self) -> float:
        """It falls with the train ratings of its row, n, as n^-power."""

    @property
    def implicit_l2(self) -> float:
        """L2 penalty on implicit terms, a rating; 0: there are none."""


@dataclass(frozen=True)
class Start:
    """Another model, which is trained first, and from which a network starts."""

    model: GradientModel
    """A model of pairs."""
    options: GradientOptions
    """Its hyper-parameters."""
    task: str
    """What its training is called in progress."""


@dataclass(frozen=True)
class StepPlan:
    """How a model with certain options is trained."""

    loop: LoopKind
    """What a batch is. pairs: pairs of indices, for a network that scores them. rows: rows of users
    with all their ratings, for a network that completes them. codes: sparse rows, for a one-layer
    AutoRec."""
    by_item: bool = False
    """codes: whether rows are those of items."""
    has_dense_layers: bool = False
    """Whether some layers can compute in other precision; `build` is then given their policy."""
    shares_batches: bool = True
    """Whether several devices can share a batch."""
    penalty: TablePenalty | None = None
    """pairs: penalties of two embedding tables, layers that have the names USER_FACTORS and
    ITEM_FACTORS of bigrec.models.factorization.network; None for none."""
    keeps_prior: bool = False
    """Whether the training keeps prior means and implicit terms of its embeddings."""
    start: Start | None = None
    """pairs: what is trained before; None for nothing."""
    sizes: tuple[str, ...] = ()
    """Names of the hyper-parameters that the number of weights follows from."""


class GradientModel(Model):
    """A model that is a Keras network, trained by gradient steps on squared errors."""

    @property
    def steps(self) -> GradientModel:
        """Itself."""
        return self

    @abstractmethod
    def plan(self, options: Any) -> StepPlan:
        """How it is trained with these options."""

    @abstractmethod
    def build(self, spec: DataSpec, options: Any, biases: Biases, policy: str = "float32") -> Any:
        """The untrained Keras model.

        Its inputs are user_index and item_index (batch,) int32, its output (batch, 1) stars; of a
        model of rows user_index and rating (batch, n_items), 0 for none, to (batch, n_items).

        Args:
            spec: sizes and scale.
            options: the hyper-parameters.
            biases: the fitted bias model.
            policy: Keras' dtype policy of the dense layers.
        """

    def start_from(self, network: Any, trained: Any) -> None:
        """Give an untrained network what that of its plan's `start` has learned."""
        raise NotImplementedError(f"{self.name} plans no start")

    def scorer(self, network: Any, subset: TrainSubset) -> Scorer:
        """A trained network as a scorer."""
        from bigrec.models.keras_scorer import KerasScorer

        return KerasScorer(network, subset.rows, subset.spec, subset.biases)

    def fit(self, context: FitContext) -> Scorer:
        """Train by gradient steps, which the context must be able to."""
        if context.by_steps is None:
            raise ValueError(f"{self.name} is trained by steps: use bigrec.train.train.train_model")
        return context.by_steps(self)

    def arrays(self, scorer: Any) -> Mapping[str, Array]:  # noqa: ARG002
        """None, unless it can be scored or compared without its network."""
        return {}

    def network(self, scorer: Any) -> Any | None:
        """The network that was trained."""
        return scorer.keras_model()

    def needs_keras(self, options: Any) -> bool:  # noqa: ARG002
        """Whether the network must be loaded for scores."""
        return True

    def load(self, saved: SavedModel, subset: TrainSubset) -> Scorer:
        """The scorer of the saved network."""
        from bigrec.models import keras_scorer  # noqa: F401 - registers the shared layers

        return self.scorer(saved.network(), subset)
