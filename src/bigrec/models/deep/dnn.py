"""A deep network on concatenated embeddings, with batch normalisation and dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras

from bigrec.features import BatchSpec
from bigrec.models.baseline.bias import Biases
from bigrec.models.factorization.network import (
    FactorOptions,
    factor_embeddings,
    finish,
    pair_inputs,
    represent_items,
)
from bigrec.models.layers import Dropout, batch_normalization
from bigrec.models.options import bounded


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
    """Whether embeddings and biases start from a matrix factorisation, trained first with its tuned
    preset; learning_rate is then that of the embeddings after it, 0 to keep them."""


PRESETS: Final = {
    "notebook": DnnOptions(),
    "tuned": DnnOptions(
        epochs=4, optimizer="adaptive", learning_rate=0.0, dense_learning_rate=0.001,
        embedding_size=64, first_units=128, second_units=64, dropout=0.3, input_dropout=0.2,
        product=True, start_from_biases=True, start_from_factors=True,
    ),
}  # fmt: skip

represent = represent_items


def has_dense_layers(_: DnnOptions) -> bool:
    """Always."""
    return True


def build(
    spec: BatchSpec, options: DnnOptions, biases: Biases, policy: str = "float32"
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
    # After a factorisation the network's share of the score starts at 0.
    start = "zeros" if options.start_from_factors else "glorot_uniform"
    return layers.Dense(1, kernel_initializer=start)(x)
