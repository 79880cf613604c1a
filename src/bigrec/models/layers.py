"""Keras layers that several models share. All can be saved and loaded without executing code."""

from __future__ import annotations

from typing import Any, Final

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bigrec")
class RowEmbedding(keras.layers.Embedding):
    """An embedding whose lookup reads only the rows it needs, also while they are being trained.

    Its gradient is the gathered rows alone, so an optimizer can update those in place.
    """

    def call(self, inputs: Any) -> Any:
        """Look up rows: (batch,) int32 to (batch, output_dim)."""
        return tf.gather(self._embeddings.value, inputs)


def row_sums(rows: Any) -> Any:
    """The sum of each row: (batch, size) to (batch, 1).

    On a CPU as a product with ones, since XLA's sums along the last axis are slow there. A GPU
    would round what it multiplies to TF32.
    """
    if tf.config.list_physical_devices("GPU"):
        return tf.reduce_sum(rows, axis=-1, keepdims=True)
    return tf.matmul(rows, tf.ones((rows.shape[-1], 1), rows.dtype))


@keras.saving.register_keras_serializable("bigrec")
class RowProduct(keras.layers.Layer):
    """The scalar product of each row of one batch with that of another.

    Keras' Dot is a product of matrices for every pair.
    """

    def call(self, rows: Any, others: Any) -> Any:
        """Multiply: (batch, size) twice to (batch, 1)."""
        return row_sums(rows * others)


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
        self.add_loss(self.weight * tf.reduce_mean(row_sums(tf.square(inputs))))
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("bigrec")
class PairBias(keras.layers.Layer):
    """mean + user bias + item bias of each pair: (batch,), (batch,) to (batch, 1).

    The weights are constants that `set_biases` fills from a fitted bias model; with all of them
    zero the layer gives the mean.
    """

    def __init__(self, n_users: int, n_items: int, mean: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_users, self.n_items, self.mean = n_users, n_items, mean

    def build(self, *_: Any) -> None:
        """Make the weights."""
        self.user = self.add_weight(
            shape=(self.n_users, 1), initializer="zeros", trainable=False, name="user"
        )
        self.item = self.add_weight(
            shape=(self.n_items, 1), initializer="zeros", trainable=False, name="item"
        )

    def set_biases(self, user: Any, item: Any) -> None:
        """Fill the weights: (n_users,) and (n_items,)."""
        self.user.assign(user[:, None])
        self.item.assign(item[:, None])

    def call(self, user_index: Any, item_index: Any) -> Any:
        """Look up both biases."""
        user = tf.gather(self.user.value, user_index)
        return self.mean + user + tf.gather(self.item.value, item_index)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"n_users": self.n_users, "n_items": self.n_items, "mean": self.mean}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("bigrec")
class Dropout(keras.layers.Dropout):
    """Keras' dropout with masks that cost little inside compiled loops.

    XLA has no fast random bits on a CPU: drawing the masks of a network took twenty times as long
    as its matrix products. These come from the position of an element and the step's seed, mixed by
    the finalizer of MurmurHash3 (Appleby 2011). Positions are those in the whole batch, also where
    several devices share it.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Zero a share `rate` of the elements in training and scale up the others."""
        if not training or self.rate == 0:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.uint32)  # (2,): a constant and a counter
        key = mix_bits(seed[0] + mix_bits(seed[1]))
        size = tf.size(inputs)
        start = tf.distribute.get_replica_context().replica_id_in_sync_group * size
        position = tf.cast(tf.range(start, start + size), tf.uint32)
        bits = mix_bits(tf.bitwise.bitwise_xor(position * _GOLDEN_RATIO, key))
        kept = tf.reshape(bits >= int(self.rate * 2**32), tf.shape(inputs))
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))


_GOLDEN_RATIO: Final = 0x9E3779B9


def batch_normalization(policy: str) -> keras.layers.Layer:
    """Batch normalisation by the statistics of the whole batch, on however many devices it is."""
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return keras.layers.BatchNormalization(synchronized=synchronized, dtype=policy)


def mix_bits(bits: Any) -> Any:
    """Scramble uint32 so that every bit of the input changes every bit of the output."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        shifted = tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))
        bits = tf.bitwise.bitwise_xor(bits, shifted) * factor
    shifted = tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))
    return tf.bitwise.bitwise_xor(bits, shifted)
