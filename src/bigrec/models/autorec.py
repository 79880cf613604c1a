"""AutoRec: an autoencoder that completes a user's row of ratings.

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering" (WWW 2015), in the
notebook's form: two hidden layers with dropout and batch normalisation, squared error over the
ratings that exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf

from bigrec.features import RATING, USER_INDEX, BatchSpec
from bigrec.models.bias import Biases
from bigrec.models.options import GradientOptions, bounded, choice


@dataclass(frozen=True)
class AutoRecOptions(GradientOptions):
    """Hyper-parameters of AutoRec; the defaults are the notebook's."""

    batch_size: int = bounded(512, 1)
    """Users of a step."""
    first_units: int = bounded(700, 1)
    """Units of the first hidden layer."""
    second_units: int = bounded(128, 1)
    """Units of the second hidden layer."""
    activation: str = choice("relu", "relu", "sigmoid", "tanh", "linear")
    """Activation of the hidden layers."""
    input_dropout: float = bounded(0.2, 0, 0.95)
    """Share of the input that a training step hides."""
    hidden_dropout: float = bounded(0.2, 0, 0.95)
    """Dropout before the output layer."""
    kernel_l2: float = bounded(0.01, 0)
    """L2 penalty on the kernels of all three layers."""
    start_from_biases: bool = False
    """Whether ratings are counted from a fitted bias model instead of the mean."""


PRESETS: Final = {
    "notebook": AutoRecOptions(),
    "tuned": AutoRecOptions(
        epochs=5, batch_size=128, optimizer="adaptive", first_units=128, second_units=64,
        activation="tanh", input_dropout=0.5, hidden_dropout=0.2, kernel_l2=0.00002,
        dense_learning_rate=0.001, start_from_biases=True,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable("bigrec")
class RowBias(keras.layers.Layer):
    """mean + user bias + movie bias of whole rows: (batch,) to (batch, n_movies).

    The weights are constants, as in PairBias.
    """

    def __init__(self, n_users: int, n_movies: int, mean: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_users, self.n_movies, self.mean = n_users, n_movies, mean

    def build(self, *_: Any) -> None:
        """Make the weights."""
        self.user = self.add_weight(
            shape=(self.n_users,), initializer="zeros", trainable=False, name="user"
        )
        self.movie = self.add_weight(
            shape=(self.n_movies,), initializer="zeros", trainable=False, name="movie"
        )

    def set_biases(self, user: Any, movie: Any) -> None:
        """Fill the weights: (n_users,) and (n_movies,)."""
        self.user.assign(user)
        self.movie.assign(movie)

    def call(self, user_index: Any) -> Any:
        """Spread the biases over rows."""
        user = self.user.value.sparse_read(user_index)  # (batch,)
        return self.mean + user[:, None] + self.movie.value[None, :]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"n_users": self.n_users, "n_movies": self.n_movies, "mean": self.mean}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("bigrec")
class CentreRow(keras.layers.Layer):
    """Ratings minus their base where there is a rating, 0 elsewhere: (batch, n_movies)."""

    def call(self, rating: Any, base: Any) -> Any:
        """A rating of 0 stands for none."""
        return tf.where(rating > 0, rating - base, 0.0)


def build(spec: BatchSpec, options: AutoRecOptions, biases: Biases) -> keras.Model:
    """Build the model: user_index (batch,), rating (batch, n_movies), 0 for none, to scores."""
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    rating = keras.Input((spec.n_movies,), name=RATING)
    row_bias = RowBias(spec.n_users, spec.n_movies, spec.mean_rating, name="base")
    base = row_bias(user)

    def dense(units: int, activation: str | None = None) -> keras.layers.Layer:
        penalty = keras.regularizers.L2(options.kernel_l2)
        return keras.layers.Dense(units, activation=activation, kernel_regularizer=penalty)

    x = CentreRow()(rating, base)
    x = keras.layers.Dropout(options.input_dropout)(x)
    x = dense(options.first_units, options.activation)(x)
    x = keras.layers.BatchNormalization()(x)
    x = dense(options.second_units, options.activation)(x)
    x = keras.layers.Dropout(options.hidden_dropout)(x)
    x = dense(spec.n_movies)(x)
    model = keras.Model([user, rating], keras.layers.Add()([x, base]))
    if options.start_from_biases:
        row_bias.set_biases(biases.user, biases.movie)
    return model
