"""AutoRec: an autoencoder that completes a row of ratings, of a user or of an item.

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering" (WWW 2015);
squared error over the ratings that exist. Two forms:

deep: the notebook's, over users: two hidden layers with dropout and batch normalisation, on dense
rows.

codes: the paper's one sigmoid layer, on sparse rows of residuals r from the bias model. Beside its
residual, that a rating exists is an input too, of weight w / sqrt(n) in a row of n:

    h = sigmoid(b + sum over the row's ratings of r W_c + w / sqrt(n) M_c),   score = h · V_c + d_c

with c the column of a rating. Once trained, the codes h of all rows are a table like V, and the
model scores pairs as a factorization does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.errors import SettingsError
from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import SavedModel, TrainSubset
from bigrec.models.factorization.model import load_factors
from bigrec.models.gradient_model import GradientModel, StepPlan
from bigrec.models.options import GradientOptions, bounded, choice
from bigrec.models.scoring import Scorer
from bigrec.models.similarity import ITEM_VECTORS, ItemSimilarity, VectorSimilarity
from bigrec.rows import DataSpec

if TYPE_CHECKING:
    import keras

    from bigrec.models.keras_scorer import KerasScorer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class AutoRecOptions(GradientOptions):
    """Hyper-parameters of AutoRec; the defaults are the notebook's."""

    form: str = choice("deep", "deep", "codes")
    """deep: two hidden layers on dense rows of users. codes: one on sparse rows, below."""
    basis: str = choice("user", "user", "item")
    """Whose rows are completed; the form deep knows users only."""
    batch_size: int = bounded(512, 1)
    """Rows of a step."""
    first_units: int = bounded(700, 1)
    """Units of the first hidden layer."""
    second_units: int = bounded(128, 1, 1_000_000)
    """Units of the second hidden layer."""
    activation: str = choice("relu", "relu", "sigmoid", "tanh", "linear")
    """Activation of the hidden layers."""
    input_dropout: float = bounded(0.2, 0, 0.95)
    """Share of the input that a training step hides."""
    hidden_dropout: float = bounded(0.2, 0, 0.95)
    """Dropout before the output layer."""
    kernel_l2: float = bounded(0.01, 0)
    """L2 penalty on the kernels of all three layers."""
    presence: float = bounded(0.0, 0)
    """codes: weight w of a rating's existence in the input."""
    presence_l2: float = bounded(1.0, 0)
    """codes: L2 penalty of the weights of existence, as a multiple of row_l2."""
    row_l2: float = bounded(0.0, 0)
    """codes: L2 penalty on the encoder's and decoder's rows of a rating."""
    row_l2_power: float = bounded(1.0, 0, 1)
    """codes: that penalty falls with the train ratings of its row, n, as n^-power."""
    implicit_l2: float = bounded(0.0, 0)
    """codes: L2 penalty on the implicit terms, a rating: with them the decoder's rows are drawn
    towards means that their ratings' existence explains, instead of towards 0. 0: none."""
    bias_l2: float = bounded(0.0, 0)
    """codes: L2 penalty on the output's biases, a rating."""
    start_from_biases: bool = False
    """Whether ratings are counted from a fitted bias model instead of the mean."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form == "deep" and self.basis == "item":
            raise SettingsError("basis=item needs form=codes: the form deep completes users only")


PRESETS: Final = {
    "notebook": AutoRecOptions(),
    "tuned": AutoRecOptions(
        form="codes", basis="item", epochs=24, batch_size=16, optimizer="adaptive",
        learning_rate=0.05, schedule="cosine", first_units=100, activation="sigmoid",
        hidden_dropout=0.0, presence=8.0, presence_l2=0.3, row_l2=60.0, row_l2_power=1.0,
        implicit_l2=0.3, bias_l2=0.02, start_from_biases=True,
    ),
}  # fmt: skip


class AutoRec(GradientModel):
    """Both forms; the form codes is scored without Keras."""

    name = "autorec"
    title = "AutoRec"
    options_class = AutoRecOptions
    presets = PRESETS

    def plan(self, options: AutoRecOptions) -> StepPlan:
        """On rows, dense or sparse."""
        if options.form == "deep":
            sizes = ("first_units", "second_units")
            return StepPlan("rows", has_dense_layers=True, sizes=sizes)
        return StepPlan(
            "codes",
            by_item=options.basis == "item",
            shares_batches=False,
            keeps_prior=options.implicit_l2 > 0,
            sizes=("first_units",),
        )

    def build(
        self, spec: DataSpec, options: AutoRecOptions, biases: Biases, policy: str = "float32"
    ) -> keras.Model:
        """The untrained network."""
        from bigrec.models.autorec.network import build

        return build(spec, options, biases, policy)

    def scorer(self, network: keras.Model, subset: TrainSubset) -> KerasScorer:
        """A scorer that can complete the row of a new person too, in the form deep."""
        from bigrec.models.autorec.network import fold_in, is_deep
        from bigrec.models.keras_scorer import KerasScorer

        fold = fold_in if is_deep(network) else None
        return KerasScorer(network, subset.rows, subset.spec, subset.biases, fold)

    def arrays(self, scorer: KerasScorer) -> Mapping[str, Array]:
        """In the form codes the fields of Factors, and in both vectors of items."""
        from bigrec.models.autorec.network import represent

        return represent(scorer.model)

    def needs_keras(self, options: AutoRecOptions) -> bool:
        """In the form deep."""
        return options.form == "deep"

    def load(self, saved: SavedModel, subset: TrainSubset) -> Scorer:
        """The scorer of the saved codes, or of the saved network."""
        if saved.options.form == "codes":
            return load_factors(saved, subset)
        from bigrec.models.autorec import network  # noqa: F401 - registers its layers

        return super().load(saved, subset)

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:  # noqa: ARG002
        """By the vectors of the items."""
        return VectorSimilarity(*saved.arrays(ITEM_VECTORS))


MODEL: Final = AutoRec()
