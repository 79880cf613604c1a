"""Matrix factorisation with biases: mean + b_u + b_m + p_u · q_m.

The model of Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems" (IEEE
Computer 42(8), 2009). The notebook's preset penalises whole embedding tables at every step, which
drives the factors to zero; the tuned one penalises the rows in use and starts from fitted biases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras

from bigrec.features import MOVIE_INDEX, USER_INDEX, BatchSpec
from bigrec.models.bias import Biases
from bigrec.models.layers import PairBias, RowEmbedding, RowPenalty
from bigrec.models.options import GradientOptions, bounded


@dataclass(frozen=True)
class MatrixFactorizationOptions(GradientOptions):
    """Hyper-parameters of matrix factorisation; the defaults are the notebook's."""

    embedding_size: int = bounded(10, 1, 1024)
    """Factors of a user and of a movie."""
    table_l2: float = bounded(0.02, 0)
    """L2 penalty on all rows of both factor tables at every step."""
    row_l2: float = bounded(0.0, 0)
    """L2 penalty on the factor rows of a batch."""
    bias_l2: float = bounded(0.0, 0)
    """L2 penalty on the trained biases of a batch."""
    initial_deviation: float = bounded(0.05, 0)
    """Factors start uniform within plus and minus this."""
    start_from_biases: bool = False
    """Whether the score is counted from a fitted bias model instead of the mean."""


PRESETS: Final = {
    "notebook": MatrixFactorizationOptions(),
    "tuned": MatrixFactorizationOptions(
        epochs=6, optimizer="adaptive", learning_rate=0.1, embedding_size=16, table_l2=0.0,
        row_l2=0.04, bias_l2=0.01, initial_deviation=0.1, start_from_biases=True,
    ),
}  # fmt: skip


def build(spec: BatchSpec, options: MatrixFactorizationOptions, biases: Biases) -> keras.Model:
    """Build the model: user_index, movie_index (batch,) int32 to scores (batch, 1) in stars."""
    user, movie = pair_inputs()
    user_factors, movie_factors = factor_embeddings(
        spec, user, movie, options.embedding_size,
        table_l2=options.table_l2, row_l2=options.row_l2, deviation=options.initial_deviation,
    )  # fmt: skip
    scores = factor_scores(spec, user, movie, user_factors, movie_factors, options.bias_l2)
    return finish(spec, user, movie, scores, biases if options.start_from_biases else None)


def pair_inputs() -> tuple[Any, Any]:
    """The two inputs of every model of pairs."""
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    movie = keras.Input((), dtype="int32", name=MOVIE_INDEX)
    return user, movie


def factor_embeddings(
    spec: BatchSpec,
    user: Any,
    movie: Any,
    size: int,
    *,
    table_l2: float = 0.0,
    row_l2: float = 0.0,
    deviation: float = 0.05,
) -> tuple[Any, Any]:
    """Embed both sides: (batch, size) each."""
    embedded = []
    for name, vocabulary, index in (
        ("user_factors", spec.n_users, user),
        ("movie_factors", spec.n_movies, movie),
    ):
        rows = RowEmbedding(
            vocabulary,
            size,
            embeddings_initializer=keras.initializers.RandomUniform(-deviation, deviation),
            embeddings_regularizer=keras.regularizers.L2(table_l2) if table_l2 else None,
            name=name,
        )(index)
        embedded.append(RowPenalty(row_l2)(rows) if row_l2 else rows)
    return embedded[0], embedded[1]


def factor_scores(
    spec: BatchSpec, user: Any, movie: Any, user_factors: Any, movie_factors: Any, bias_l2: float
) -> Any:
    """p_u · q_m + b_u + b_m with trained biases: (batch, 1)."""
    terms = [keras.layers.Dot(axes=1)([user_factors, movie_factors])]
    for name, vocabulary, index in (
        ("user_bias", spec.n_users, user),
        ("movie_bias", spec.n_movies, movie),
    ):
        # Starts as Keras' embeddings do, unless it corrects a fitted bias.
        bias = RowEmbedding(vocabulary, 1, name=name)(index)
        terms.append(RowPenalty(bias_l2)(bias) if bias_l2 else bias)
    return keras.layers.Add()(terms)


def finish(
    spec: BatchSpec, user: Any, movie: Any, scores: Any, biases: Biases | None
) -> keras.Model:
    """Count the scores from the mean, or from fitted biases, and close the model."""
    base = PairBias(spec.n_users, spec.n_movies, spec.mean_rating, name="base")
    model = keras.Model([user, movie], keras.layers.Add()([scores, base(user, movie)]))
    if biases is not None:
        base.set_biases(biases.user, biases.movie)
    return model
