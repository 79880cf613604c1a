"""The networks of AutoRec; see bigrec.models.autorec.model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import tensorflow as tf

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
from bigrec.models.similarity import ITEM_VECTORS, unit_rows
from bigrec.rows import RATING, USER_INDEX, DataSpec

if TYPE_CHECKING:
    from bigrec.models.autorec.model import AutoRecOptions

Array = np.ndarray[Any, Any]

COLUMN_BIAS: Final = "column_bias"
"""Name of the layer with the output's biases in the form codes."""
_DEVIATION: Final = 0.05


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


def build(
    spec: DataSpec, options: AutoRecOptions, biases: Biases, policy: str = "float32"
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


def _build_codes(spec: DataSpec, options: AutoRecOptions, biases: Biases) -> keras.Model:
    user, item = pair_inputs()
    tables = factor_embeddings(spec, user, item, options.first_units, deviation=_DEVIATION)
    scores = keras.layers.Dot(axes=1)(list(tables))
    column, vocabulary = (user, spec.n_users) if options.basis == "item" else (
        item, spec.n_items
    )  # fmt: skip
    bias = RowEmbedding(vocabulary, 1, embeddings_initializer="zeros", name=COLUMN_BIAS)(column)
    scores = keras.layers.Add()([scores, bias])
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)


def is_deep(model: keras.Model) -> bool:
    """Whether a model is of the form deep."""
    return all(layer.name != COLUMN_BIAS for layer in model.layers)


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
    if not is_deep(model):
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
        biases: the bias model of the train subset.
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
