"""The network of a matrix factorization, and the tables that other models of pairs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras

from bigrec.models.baseline.bias import Biases
from bigrec.models.layers import PairBias, RowEmbedding, RowPenalty, RowProduct
from bigrec.models.similarity import ITEM_VECTORS
from bigrec.rows import ITEM_INDEX, USER_INDEX, DataSpec

if TYPE_CHECKING:
    from bigrec.models.factorization.model import FactorOptions, MatrixFactorizationOptions

USER_FACTORS: Final = "user_factors"
"""Name of the layer with the table of users."""
ITEM_FACTORS: Final = "item_factors"
"""Name of the layer with the table of items."""
USER_BIAS: Final = "user_bias"
ITEM_BIAS: Final = "item_bias"
BASE: Final = "base"


def build(spec: DataSpec, options: MatrixFactorizationOptions, biases: Biases) -> keras.Model:
    """Build the model: user_index, item_index (batch,) int32 to scores (batch, 1) in stars."""
    user, item = pair_inputs()
    user_factors, item_factors = factor_embeddings(
        spec, user, item, options.embedding_size,
        table_l2=options.table_l2, deviation=options.initial_deviation,
    )  # fmt: skip
    scores = factor_scores(spec, user, item, user_factors, item_factors, options)
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)


def represent(model: keras.Model) -> dict[str, Any]:
    """A trained model as the fields of Factors; fitted and trained biases are summed."""
    base = model.get_layer(BASE)

    def table(name: str) -> Any:
        return model.get_layer(name).embeddings.numpy()

    return {
        "user_factors": table(USER_FACTORS),
        "item_factors": table(ITEM_FACTORS),
        "user_bias": (base.user.numpy() + table(USER_BIAS))[:, 0],
        "item_bias": (base.item.numpy() + table(ITEM_BIAS))[:, 0],
    }


def represent_items(model: keras.Model) -> dict[str, Any]:
    """The embeddings of the items in a model of pairs."""
    return {ITEM_VECTORS: model.get_layer(ITEM_FACTORS).embeddings.numpy()}


def pair_inputs() -> tuple[Any, Any]:
    """The two inputs of every model of pairs."""
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    item = keras.Input((), dtype="int32", name=ITEM_INDEX)
    return user, item


def factor_embeddings(
    spec: DataSpec,
    user: Any,
    item: Any,
    size: int,
    *,
    table_l2: float = 0.0,
    deviation: float = 0.05,
) -> tuple[Any, Any]:
    """Embed users and items: (batch, size) each."""
    embedded = []
    for name, vocabulary, index in (
        (USER_FACTORS, spec.n_users, user),
        (ITEM_FACTORS, spec.n_items, item),
    ):
        rows = RowEmbedding(
            vocabulary,
            size,
            embeddings_initializer=keras.initializers.RandomUniform(-deviation, deviation),
            embeddings_regularizer=keras.regularizers.L2(table_l2) if table_l2 else None,
            name=name,
        )(index)
        embedded.append(rows)
    return embedded[0], embedded[1]


def factor_scores(
    spec: DataSpec,
    user: Any,
    item: Any,
    user_factors: Any,
    item_factors: Any,
    options: FactorOptions,
) -> Any:
    """p_u · q_m + b_u + b_m with trained biases: (batch, 1)."""
    # A bias that corrects a fitted one starts at 0, others as Keras' embeddings do.
    start = "zeros" if options.start_from_biases else "uniform"
    terms = [RowProduct()(user_factors, item_factors)]
    for name, vocabulary, index in (
        (USER_BIAS, spec.n_users, user),
        (ITEM_BIAS, spec.n_items, item),
    ):
        bias = RowEmbedding(vocabulary, 1, embeddings_initializer=start, name=name)(index)
        terms.append(RowPenalty(options.bias_l2)(bias) if options.bias_l2 else bias)
    return keras.layers.Add()(terms)


def finish(spec: DataSpec, user: Any, item: Any, scores: Any, biases: Biases | None) -> keras.Model:
    """Count the scores from the mean, or from fitted biases, and close the model."""
    base = PairBias(spec.n_users, spec.n_items, spec.mean_rating, name=BASE)
    model = keras.Model([user, item], keras.layers.Add()([scores, base(user, item)]))
    if biases is not None:
        base.set_biases(biases.user, biases.item)
    return model


def start_from_factorization(model: keras.Model, trained: keras.Model) -> None:
    """Give a model of pairs the tables and the biases of a trained factorization.

    Its own trained biases, if it has any, then correct those of the factorization.
    """
    for name in (USER_FACTORS, ITEM_FACTORS):
        model.get_layer(name).set_weights(trained.get_layer(name).get_weights())
    base = trained.get_layer(BASE)
    biases = [
        fitted + trained.get_layer(name).get_weights()[0]
        for name, fitted in zip((USER_BIAS, ITEM_BIAS), base.get_weights(), strict=True)
    ]
    model.get_layer(BASE).set_weights(biases)
