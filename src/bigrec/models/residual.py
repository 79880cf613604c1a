"""Residual learning: matrix factorisation plus a deep network on the same embeddings.

In the notebook the network's second hidden layer is fed from the factorisation's score instead of
from its own first layer; here it is fed as the figure of it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import keras

from bigrec.features import BatchSpec
from bigrec.models.bias import Biases
from bigrec.models.dnn import DnnOptions, network
from bigrec.models.matrix_factorization import (
    factor_embeddings,
    factor_scores,
    finish,
    pair_inputs,
)
from bigrec.models.options import bounded


@dataclass(frozen=True)
class ResidualOptions(DnnOptions):
    """Hyper-parameters of the residual model; the defaults are the notebook's."""

    bias_l2: float = bounded(0.0, 0)
    """L2 penalty on the trained biases of a batch."""


PRESETS: Final = {
    "notebook": ResidualOptions(),
    "tuned": ResidualOptions(
        epochs=6, optimizer="adaptive", learning_rate=0.1, embedding_size=16, first_units=64,
        second_units=32, dropout=0.2, row_l2=0.04, bias_l2=0.01, initial_deviation=0.1,
        start_from_biases=True,
    ),
}  # fmt: skip


def build(spec: BatchSpec, options: ResidualOptions, biases: Biases) -> keras.Model:
    """Build the model: user_index, movie_index (batch,) int32 to scores (batch, 1) in stars."""
    user, movie = pair_inputs()
    embeddings = factor_embeddings(
        spec, user, movie, options.embedding_size,
        row_l2=options.row_l2, deviation=options.initial_deviation,
    )  # fmt: skip
    main = factor_scores(spec, user, movie, *embeddings, options.bias_l2)
    side = network(embeddings, options.first_units, options.second_units, options.dropout)
    scores = keras.layers.Add()([main, side])
    return finish(spec, user, movie, scores, biases if options.start_from_biases else None)
