"""Deep networks on embeddings: alone, or beside a factorization of the same embeddings.

dnn: concatenated embeddings through two hidden layers, with batch normalisation and dropout.

residual: matrix factorization plus such a network on the same embeddings. In the notebook the
network's second hidden layer is fed from the factorization's score instead of from its own first
layer; here it is fed as the figure of it says.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import SavedModel, TrainSubset
from bigrec.models.factorization import model as factorization
from bigrec.models.factorization.model import FactorOptions, plan_factors
from bigrec.models.gradient_model import GradientModel, Start, StepPlan
from bigrec.models.options import bounded
from bigrec.models.similarity import ITEM_VECTORS, ItemSimilarity, VectorSimilarity
from bigrec.rows import DataSpec

if TYPE_CHECKING:
    import keras

    from bigrec.models.keras_scorer import KerasScorer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class DnnOptions(FactorOptions):
    """Hyper-parameters of the network; the defaults are the notebook's."""

    first_units: int = bounded(512, 1)
    """Units of the first hidden layer."""
    second_units: int = bounded(128, 1, 1_000_000)
    """Units of the second hidden layer."""
    dropout: float = bounded(0.5, 0, 0.95)
    """Dropout between the hidden layers."""
    input_dropout: float = bounded(0.0, 0, 0.95)
    """Dropout of the embeddings before the first hidden layer."""
    product: bool = False
    """Whether the network also takes the product of both embeddings, element by element."""
    start_from_factors: bool = False
    """Whether embeddings and biases start from a matrix factorization, trained first with its tuned
    preset; learning_rate is then that of the embeddings after it, 0 to keep them."""


DNN_PRESETS: Final = {
    "notebook": DnnOptions(),
    "tuned": DnnOptions(
        epochs=4, optimizer="adaptive", learning_rate=0.0, dense_learning_rate=0.001,
        embedding_size=64, first_units=128, second_units=64, dropout=0.3, input_dropout=0.2,
        product=True, start_from_biases=True, start_from_factors=True,
    ),
}  # fmt: skip

RESIDUAL_PRESETS: Final = {
    "notebook": DnnOptions(),
    "tuned": DnnOptions(
        epochs=1, optimizer="adaptive", learning_rate=0.0, dense_learning_rate=0.0005,
        embedding_size=64, first_units=64, second_units=32, dropout=0.3, input_dropout=0.2,
        product=True, start_from_biases=True, start_from_factors=True,
    ),
}  # fmt: skip


class _DeepModel(GradientModel):
    """What both have in common."""

    options_class = DnnOptions

    def plan(self, options: DnnOptions) -> StepPlan:
        """On pairs, perhaps after a factorization."""
        start = None
        if options.start_from_factors:
            tuned = dataclasses.replace(
                factorization.PRESETS["tuned"], embedding_size=options.embedding_size
            )
            start = Start(factorization.MODEL, tuned, "factorization")
        return plan_factors(
            options,
            has_dense_layers=True,
            start=start,
            sizes=("embedding_size", "first_units", "second_units"),
        )

    @abstractmethod
    def build(
        self, spec: DataSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
    ) -> keras.Model:
        """The untrained network."""

    def start_from(self, network: keras.Model, trained: keras.Model) -> None:
        """Take the tables and the biases of a trained factorization."""
        from bigrec.models.factorization.network import start_from_factorization

        start_from_factorization(network, trained)

    def arrays(self, scorer: KerasScorer) -> Mapping[str, Array]:
        """The embeddings of the items."""
        from bigrec.models.factorization.network import represent_items

        return represent_items(scorer.model)

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:  # noqa: ARG002
        """By the embeddings of the items."""
        return VectorSimilarity(*saved.arrays(ITEM_VECTORS))


class Dnn(_DeepModel):
    """A network alone."""

    name = "dnn"
    title = "Deep network"
    presets = DNN_PRESETS

    def build(
        self, spec: DataSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
    ) -> keras.Model:
        """The untrained network."""
        from bigrec.models.deep.network import build_dnn

        return build_dnn(spec, options, biases, policy)


class Residual(_DeepModel):
    """A network beside a factorization."""

    name = "residual"
    title = "Residual learning"
    presets = RESIDUAL_PRESETS

    def build(
        self, spec: DataSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
    ) -> keras.Model:
        """The untrained network."""
        from bigrec.models.deep.network import build_residual

        return build_residual(spec, options, biases, policy)


DNN: Final = Dnn()
RESIDUAL: Final = Residual()
