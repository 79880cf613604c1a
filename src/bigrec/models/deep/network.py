"""The networks of the deep models; see bigrec.models.deep.model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from bigrec.models.baseline.bias import Biases
from bigrec.models.factorization.network import (
    factor_embeddings,
    factor_scores,
    finish,
    pair_inputs,
)
from bigrec.models.layers import Dropout, batch_normalization
from bigrec.rows import DataSpec

if TYPE_CHECKING:
    from bigrec.models.deep.model import DnnOptions


def build_dnn(
    spec: DataSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
) -> keras.Model:
    """Build the model: user_index, item_index (batch,) int32 to scores (batch, 1) in stars.

    The policy is Keras' dtype policy of the hidden layers.
    """
    user, item = pair_inputs()
    embeddings = factor_embeddings(
        spec, user, item, options.embedding_size,
        deviation=options.initial_deviation,
    )  # fmt: skip
    scores = network(embeddings, options, policy)
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)


def build_residual(
    spec: DataSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
) -> keras.Model:
    """Build the model: user_index, item_index (batch,) int32 to scores (batch, 1) in stars.

    The policy is Keras' dtype policy of the hidden layers.
    """
    user, item = pair_inputs()
    embeddings = factor_embeddings(
        spec, user, item, options.embedding_size,
        deviation=options.initial_deviation,
    )  # fmt: skip
    main = factor_scores(spec, user, item, *embeddings, options)
    correction = network(embeddings, options, policy)
    scores = keras.layers.Add()([main, correction])
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)


def network(embeddings: tuple[Any, Any], options: DnnOptions, policy: str) -> Any:
    """The hidden layers and the output: two (batch, size) embeddings to (batch, 1) float32."""
    layers = keras.layers
    features = list(embeddings)
    if options.product:
        features.append(layers.Multiply(dtype=policy)(features))
    x = layers.Concatenate(dtype=policy)(features)  # (batch, 2 * size), with the product 3 * size
    if options.input_dropout:
        x = Dropout(options.input_dropout, dtype=policy)(x)
    x = layers.Dense(options.first_units, dtype=policy)(x)
    x = batch_normalization(policy)(x)
    x = layers.Activation("relu", dtype=policy)(x)
    x = Dropout(options.dropout, dtype=policy)(x)
    x = layers.Dense(options.second_units, dtype=policy)(x)
    x = batch_normalization(policy)(x)
    x = layers.Activation("relu", dtype=policy)(x)
    # After a factorization the network's share of the score starts at 0.
    start = "zeros" if options.start_from_factors else "glorot_uniform"
    return layers.Dense(1, kernel_initializer=start)(x)
