"""A deep network on concatenated embeddings, with batch normalisation and dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras

from bigrec.features import BatchSpec
from bigrec.models.bias import Biases
from bigrec.models.matrix_factorization import factor_embeddings, finish, pair_inputs
from bigrec.models.options import GradientOptions, bounded


@dataclass(frozen=True)
class DnnOptions(GradientOptions):
    """Hyper-parameters of the network; the defaults are the notebook's."""

    embedding_size: int = bounded(10, 1, 1024)
    """Size of a user's and of a movie's embedding."""
    first_units: int = bounded(512, 1)
    """Units of the first hidden layer."""
    second_units: int = bounded(128, 1)
    """Units of the second hidden layer."""
    dropout: float = bounded(0.5, 0, 0.95)
    """Dropout between the hidden layers."""
    row_l2: float = bounded(0.0, 0)
    """L2 penalty on the embedding rows of a batch."""
    initial_deviation: float = bounded(0.05, 0)
    """Embeddings start uniform within plus and minus this."""
    start_from_biases: bool = False
    """Whether the score is counted from a fitted bias model instead of the mean."""


PRESETS: Final = {
    "notebook": DnnOptions(),
    "tuned": DnnOptions(
        epochs=6, optimizer="adaptive", learning_rate=0.3, dense_learning_rate=0.002,
        embedding_size=16, first_units=128, second_units=64, dropout=0.1, row_l2=0.005,
        initial_deviation=0.2, start_from_biases=True,
    ),
}  # fmt: skip


def build(spec: BatchSpec, options: DnnOptions, biases: Biases) -> keras.Model:
    """Build the model: user_index, movie_index (batch,) int32 to scores (batch, 1) in stars."""
    user, movie = pair_inputs()
    embeddings = factor_embeddings(
        spec, user, movie, options.embedding_size,
        row_l2=options.row_l2, deviation=options.initial_deviation,
    )  # fmt: skip
    scores = network(embeddings, options.first_units, options.second_units, options.dropout)
    return finish(spec, user, movie, scores, biases if options.start_from_biases else None)


def network(embeddings: tuple[Any, Any], first: int, second: int, dropout: float) -> Any:
    """The hidden layers and the output: two (batch, size) embeddings to (batch, 1)."""
    x = keras.layers.Concatenate()(list(embeddings))  # (batch, 2 * size)
    x = keras.layers.Dense(first)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(second)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu")(x)
    return keras.layers.Dense(1)(x)
