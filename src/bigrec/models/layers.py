"""Keras layers that several models share. All can be saved and loaded without executing code."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bigrec")
class RowEmbedding(keras.layers.Embedding):
    """An embedding whose lookup reads only the rows it needs, also while they are being trained.

    Its gradient is the gathered rows alone, so an optimizer can update those in place.
    """

    def call(self, inputs: Any) -> Any:
        """Look up rows: (batch,) int32 to (batch, output_dim)."""
        return self._embeddings.value.sparse_read(inputs)


@keras.saving.register_keras_serializable("bigrec")
class RowPenalty(keras.layers.Layer):
    """Passes its input on and adds `weight` times its mean squared norm to the loss.

    Put behind an embedding this is the L2 penalty of the rows in use: a row is penalised as often
    as it occurs, so the weight holds for data of any size.
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs: Any) -> Any:
        """Return the input: (batch, size)."""
        self.add_loss(self.weight * tf.reduce_mean(tf.reduce_sum(tf.square(inputs), axis=-1)))
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("bigrec")
class PairBias(keras.layers.Layer):
    """mean + user bias + movie bias of each pair: (batch,), (batch,) to (batch, 1).

    The weights are constants that `set_biases` fills from a fitted bias model; with all of them
    zero the layer gives the mean.
    """

    def __init__(self, n_users: int, n_movies: int, mean: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_users, self.n_movies, self.mean = n_users, n_movies, mean

    def build(self, *_: Any) -> None:
        """Make the weights."""
        self.user = self.add_weight(
            shape=(self.n_users, 1), initializer="zeros", trainable=False, name="user"
        )
        self.movie = self.add_weight(
            shape=(self.n_movies, 1), initializer="zeros", trainable=False, name="movie"
        )

    def set_biases(self, user: Any, movie: Any) -> None:
        """Fill the weights: (n_users,) and (n_movies,)."""
        self.user.assign(user[:, None])
        self.movie.assign(movie[:, None])

    def call(self, user_index: Any, movie_index: Any) -> Any:
        """Look up both biases."""
        user = self.user.value.sparse_read(user_index)
        return self.mean + user + self.movie.value.sparse_read(movie_index)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"n_users": self.n_users, "n_movies": self.n_movies, "mean": self.mean}
        return {**super().get_config(), **own}
