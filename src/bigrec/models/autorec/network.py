"""AutoRec: an autoencoder that completes a row of ratings, of a user or of an item.

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering" (WWW 2015);
squared error over the ratings that exist. Two forms:

deep: the notebook's, over users: two hidden layers with dropout and batch normalisation, on dense
rows.

codes: the paper's one sigmoid layer, on sparse rows of residuals r from the bias model. Beside its
residual, that a rating exists is an input too, of weight w / sqrt(n) in a row of n:

    h = sigmoid(b + sum over the row's ratings of r W_c + w / sqrt(n) M_c),   score = h · V_c + d_c

with c the column of a rating. Once trained, the codes h of all rows are a table like V, and the
model scores pairs as a factorisation does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from bigrec.errors import SettingsError
from bigrec.features import RATING, USER_INDEX, BatchSpec
from bigrec.models.baseline.bias import Biases
from bigrec.models.factorization.network import (
    BASE,
    ITEM_FACTORS,
    USER_FACTORS,
    factor_embeddings,
    finish,
    pair_inputs,
)
from bigrec.models.layers import Dropout, RowEmbedding, batch_normalization
from bigrec.models.options import GradientOptions, bounded, choice
from bigrec.models.similarity import ITEM_VECTORS, unit_rows

Array = np.ndarray[Any, Any]

COLUMN_BIAS: Final = "column_bias"
"""Name of the layer with the output's biases in the form codes."""
_DEVIATION: Final = 0.05


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


@keras.saving.register_keras_serializable("bigrec")
class RowBias(keras.layers.Layer):
    """mean + user bias + item bias of whole rows: (batch,) to (batch, n_items).

    The weights are constants, as in PairBias.
    """

    def __init__(self, n_users: int, n_items: int, mean: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_users, self.n_items, self.mean = n_users, n_items, mean

    def build(self, *_: Any) -> None:
        """Make the weights."""
        self.user = self.add_weight(
            shape=(self.n_users,), initializer="zeros", trainable=False, name="user"
        )
        self.item = self.add_weight(
            shape=(self.n_items,), initializer="zeros", trainable=False, name="item"
        )

    def set_biases(self, user: Any, item: Any) -> None:
        """Fill the weights: (n_users,) and (n_items,)."""
        self.user.assign(user)
        self.item.assign(item)

    def call(self, user_index: Any) -> Any:
        """Spread the biases over rows."""
        user = tf.gather(self.user.value, user_index)  # (batch,)
        return self.mean + user[:, None] + self.item.value[None, :]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"n_users": self.n_users, "n_items": self.n_items, "mean": self.mean}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("bigrec")
class CentreRow(keras.layers.Layer):
    """Ratings minus their base where there is a rating, 0 elsewhere: (batch, n_items)."""

    def call(self, rating: Any, base: Any) -> Any:
        """A rating of 0 stands for none."""
        return tf.where(rating > 0, rating - base, 0.0)


def has_dense_layers(options: AutoRecOptions) -> bool:
    """In the form deep."""
    return options.form == "deep"


def build(
    spec: BatchSpec, options: AutoRecOptions, biases: Biases, policy: str = "float32"
) -> keras.Model:
    """Build the model.

    The form deep takes user_index (batch,) and rating (batch, n_items), 0 for none, and completes
    the rows; the form codes takes user_index and item_index (batch,) and gives (batch, 1). The
    policy is Keras' dtype policy of the dense layers, which the form codes has none of.
    """
    if options.form == "codes":
        return _build_codes(spec, options, biases)
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    rating = keras.Input((spec.n_items,), name=RATING)
    row_bias = RowBias(spec.n_users, spec.n_items, spec.mean_rating, name="base")
    base = row_bias(user)

    def dense(name: str, units: int, activation: str | None = None) -> keras.layers.Layer:
        penalty = keras.regularizers.L2(options.kernel_l2)
        return keras.layers.Dense(
            units, activation=activation, kernel_regularizer=penalty, name=name, dtype=policy
        )

    x = CentreRow(name="centre")(rating, base)
    x = Dropout(options.input_dropout, dtype=policy)(x)
    x = dense("input", options.first_units, options.activation)(x)
    x = batch_normalization(policy)(x)
    x = dense("hidden", options.second_units, options.activation)(x)
    x = Dropout(options.hidden_dropout, dtype=policy)(x)
    x = dense("output", spec.n_items)(x)
    model = keras.Model([user, rating], keras.layers.Add()([x, base]))
    if options.start_from_biases:
        row_bias.set_biases(biases.user, biases.item)
    return model


def _build_codes(spec: BatchSpec, options: AutoRecOptions, biases: Biases) -> keras.Model:
    user, item = pair_inputs()
    tables = factor_embeddings(spec, user, item, options.first_units, deviation=_DEVIATION)
    scores = keras.layers.Dot(axes=1)(list(tables))
    column, vocabulary = (user, spec.n_users) if options.basis == "item" else (
        item, spec.n_items
    )  # fmt: skip
    bias = RowEmbedding(vocabulary, 1, embeddings_initializer="zeros", name=COLUMN_BIAS)(column)
    scores = keras.layers.Add()([scores, bias])
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)


def codes_and_decoder(model: keras.Model, options: AutoRecOptions) -> tuple[Any, Any, Any]:
    """The tables of a model of the form codes: codes of rows, decoder and biases of columns."""
    names = [ITEM_FACTORS, USER_FACTORS] if options.basis == "item" else [
        USER_FACTORS, ITEM_FACTORS
    ]  # fmt: skip
    codes, decoder, bias = (
        model.get_layer(name).embeddings.value for name in (*names, COLUMN_BIAS)
    )
    return codes, decoder, bias


def represent(model: keras.Model) -> dict[str, Array]:
    """A trained model in arrays: in the form codes the fields of Factors, and vectors of items.

    In the form deep the vectors are the weights that read each item beside those that write it,
    each half of length 1, so that a cosine is the mean of the two halves' cosines. In the form
    codes they are the items' rows less their mean, since codes are all positive.
    """
    if any(layer.name == COLUMN_BIAS for layer in model.layers):
        return _represent_codes(model)
    reads = model.get_layer("input").kernel.numpy()  # (n_items, first_units)
    writes = model.get_layer("output").kernel.numpy().T  # (n_items, second_units)
    return {ITEM_VECTORS: np.hstack((unit_rows(reads), unit_rows(writes)))}


def _represent_codes(model: keras.Model) -> dict[str, Array]:
    users, items, column = (
        model.get_layer(name).embeddings.numpy()
        for name in (USER_FACTORS, ITEM_FACTORS, COLUMN_BIAS)
    )
    user_bias, item_bias = (weights[:, 0] for weights in model.get_layer(BASE).get_weights())
    if model.get_layer(COLUMN_BIAS).input is model.inputs[0]:  # of users
        user_bias = user_bias + column[:, 0]
    else:
        item_bias = item_bias + column[:, 0]
    return {
        "user_factors": users,
        "item_factors": items,
        "user_bias": user_bias,
        "item_bias": item_bias,
        ITEM_VECTORS: items - items.mean(axis=0),
    }


def fold_in(model: keras.Model, biases: Biases, item_index: Array, rating: Array) -> Array:
    """Complete the row of a person who is not in the data, in the form deep.

    Args:
        model: trained.
        biases: the bias model of the train side.
        item_index: (n,) int32, the items that the person has rated.
        rating: (n,) float32, stars.

    Returns:
        (n_items,) float32 scores, unclipped.
    """
    row_bias = model.get_layer("base")
    base = row_bias.mean + row_bias.item.numpy()  # (n_items,)
    if row_bias.item.numpy().any():  # the model starts from the fitted biases
        base += biases.fold_in(item_index, rating)
    deviations = np.zeros((1, len(base)), np.float32)
    deviations[0, item_index] = rating - base[item_index]
    network = keras.Model(model.get_layer("centre").output, model.get_layer("output").output)
    return np.asarray(base + network(deviations, training=False).numpy()[0])
