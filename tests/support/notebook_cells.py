"""The notebook's four trained models: its cells as functions of the sizes that data gives them.

Layers, constants and losses are the notebook's own, written to be compared with: the tests train
them beside `bigrec`'s, the benchmark times them. `lr=`, which Keras has dropped, is learning_rate.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow.keras.backend as K  # noqa: N812 - its name in the notebook
from keras import Model
from keras.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    Input,
)
from keras.optimizers import SGD
from keras.regularizers import l2

Layer = type[keras.layers.Layer]


def autorec(n_items: int, dropout: Layer = Dropout) -> keras.Model:
    """Section 6-2: rows of centred ratings, 0 for none, to completed rows."""
    reg = 0.01
    i = Input(shape=(n_items,))
    x = dropout(0.2)(i)
    x = Dense(700, activation="relu", kernel_regularizer=l2(reg))(x)
    x = BatchNormalization()(x)
    x = Dense(128, activation="relu", kernel_regularizer=l2(reg))(x)
    x = dropout(0.2)(x)
    x = Dense(n_items, kernel_regularizer=l2(reg))(x)

    def custom_loss(y_true: Any, y_pred: Any) -> Any:
        mask = K.cast(K.not_equal(y_true, 0), dtype="float32")
        diff = y_pred - y_true
        sqdiff = diff * diff * mask
        sse = K.sum(K.sum(sqdiff))
        n = K.sum(K.sum(mask))
        return sse / n

    model = Model(i, x)
    model.compile(loss=custom_loss, optimizer=SGD(learning_rate=0.08, momentum=0.9))
    return model


def matrix_factorization(n_users: int, n_items: int) -> keras.Model:
    """Section 6-3: users and movies, (batch, 1) each, to ratings less their mean."""
    size, reg = 10, 0.02
    u, m = Input(shape=(1,)), Input(shape=(1,))
    u_embedding = Embedding(n_users, size, embeddings_regularizer=l2(reg))(u)
    m_embedding = Embedding(n_items, size, embeddings_regularizer=l2(reg))(m)
    u_bias = Embedding(n_users, 1)(u)
    m_bias = Embedding(n_items, 1)(m)
    x = Dot(axes=2)([u_embedding, m_embedding])
    x = Add()([x, u_bias, m_bias])
    x = Flatten()(x)
    return _compiled(Model(inputs=[u, m], outputs=x))


def deep_network(n_users: int, n_items: int, dropout: Layer = Dropout) -> keras.Model:
    """Section 6-4: likewise."""
    size = 10
    u, m = Input(shape=(1,)), Input(shape=(1,))
    u_embedding = Flatten()(Embedding(n_users, size)(u))
    m_embedding = Flatten()(Embedding(n_items, size)(m))
    x = Concatenate()([u_embedding, m_embedding])
    x = Dense(512)(x)
    x = BatchNormalization()(x)
    x = Activation("relu")(x)
    x = dropout(0.5)(x)
    x = Dense(128)(x)
    x = BatchNormalization()(x)
    x = Activation("relu")(x)
    x = Dense(1)(x)
    return _compiled(Model(inputs=[u, m], outputs=x))


def residual(
    n_users: int, n_items: int, dropout: Layer = Dropout, *, with_slip: bool = True
) -> keras.Model:
    """Section 6-5: likewise.

    with_slip: as written, the second hidden layer is fed from the main branch, and what stands
    above it in the subset branch is lost; else it is fed from the first, as was meant.
    """
    size = 10
    u, m = Input(shape=(1,)), Input(shape=(1,))
    u_embedding = Embedding(n_users, size)(u)
    m_embedding = Embedding(n_items, size)(m)
    u_bias = Embedding(n_users, 1)(u)
    m_bias = Embedding(n_items, 1)(m)
    x = Dot(axes=2)([u_embedding, m_embedding])
    x = Add()([x, u_bias, m_bias])
    x = Flatten()(x)
    y = Concatenate()([Flatten()(u_embedding), Flatten()(m_embedding)])
    y = Dense(512)(y)
    y = BatchNormalization()(y)
    y = Activation("relu")(y)
    y = dropout(0.5)(y)
    y = Dense(128)(x if with_slip else y)
    y = BatchNormalization()(y)
    y = Activation("relu")(y)
    y = Dense(1)(y)
    x = Add()([x, y])
    return _compiled(Model(inputs=[u, m], outputs=x))


def _compiled(model: keras.Model) -> keras.Model:
    model.compile(loss="mse", optimizer=SGD(learning_rate=0.08, momentum=0.9))
    return model
