"""Residual learning: matrix factorisation plus a deep network on the same embeddings.

In the notebook the network's second hidden layer is fed from the factorisation's score instead of
from its own first layer; here it is fed as the figure of it says.
"""

from __future__ import annotations

from typing import Final

import keras

from bigrec.features import BatchSpec
from bigrec.models.baseline.bias import Biases
from bigrec.models.deep.dnn import DnnOptions, network
from bigrec.models.factorization.network import (
    factor_embeddings,
    factor_scores,
    finish,
    pair_inputs,
    represent_items,
)

PRESETS: Final = {
    "notebook": DnnOptions(),
    "tuned": DnnOptions(
        epochs=1, optimizer="adaptive", learning_rate=0.0, dense_learning_rate=0.0005,
        embedding_size=64, first_units=64, second_units=32, dropout=0.3, input_dropout=0.2,
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
    main = factor_scores(spec, user, item, *embeddings, options)
    side = network(embeddings, options, policy)
    scores = keras.layers.Add()([main, side])
    return finish(spec, user, item, scores, biases if options.start_from_biases else None)
