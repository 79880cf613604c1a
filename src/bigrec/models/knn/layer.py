"""Neighbors as a Keras model for use elsewhere, with the ratings of the train subset in it.

It computes what `neighbor_scores` says and documents, and finds ratings by binary search.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from bigrec.models.knn.rule import NeighborRule
from bigrec.rows import ITEM_INDEX, USER_INDEX

if TYPE_CHECKING:
    from bigrec.models.knn.scorer import NeighborScorer

Array = np.ndarray[Any, Any]


def build_model(scorer: NeighborScorer) -> keras.Model:
    """What a scorer does, as user_index, item_index (batch,) int32 to (batch, 1) stars."""
    spec, length = scorer.spec, scorer.lists.neighbor_index.shape[1]
    layer = NeighborScores(
        spec.n_users, spec.n_items, scorer.rows.n_ratings, length, asdict(scorer.rule),
        name="neighbors",
    )  # fmt: skip
    user = keras.Input((), dtype="int32", name=USER_INDEX)
    item = keras.Input((), dtype="int32", name=ITEM_INDEX)
    model = keras.Model([user, item], layer(user, item))
    layer.fill(scorer)
    return model


@keras.saving.register_keras_serializable("bigrec")
class NeighborScores(keras.layers.Layer):
    """Scores of pairs: (batch,), (batch,) int32 to (batch, 1) float32, in stars."""

    def __init__(
        self, n_users: int, n_items: int, n_ratings: int, length: int, rule: dict[str, Any],
        **kwargs: Any,
    ) -> None:  # fmt: skip
        """Take the sizes, the length of the lists, and the fields of a NeighborRule."""
        super().__init__(**kwargs)
        self.sizes = {
            "n_users": n_users, "n_items": n_items, "n_ratings": n_ratings, "length": length
        }  # fmt: skip
        self.rule = NeighborRule(**rule)

    def build(self, *_: Any) -> None:
        """Make the weights; `fill` fills them."""
        n_users, n_items = self.sizes["n_users"], self.sizes["n_items"]
        n_lists = n_users if self.rule.basis == "user" else n_items

        def weight(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
            return self.add_weight(
                shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
            )

        self.indptr = weight("indptr", (n_users + 1,), "int64")
        self.item_index = weight("item_index", (self.sizes["n_ratings"],), "int32")
        self.rating = weight("rating", (self.sizes["n_ratings"],))
        self.user_base = weight("user_base", (n_users,))
        self.item_base = weight("item_base", (n_items,))
        self.neighbor_index = weight("neighbor_index", (n_lists, self.sizes["length"]), "int32")
        self.similarity = weight("similarity", (n_lists, self.sizes["length"]))

    def call(self, user_index: Any, item_index: Any) -> Any:
        """Look the lists up, find the ratings, and weigh them."""
        rule = self.rule
        of_users = rule.basis == "user"
        list_index = user_index if of_users else item_index
        found_index = self.neighbor_index.value.sparse_read(list_index)  # (batch, length)
        similarity = self.similarity.value.sparse_read(list_index)
        real = found_index >= 0
        near = tf.maximum(found_index, 0)
        users = near if of_users else tf.broadcast_to(user_index[:, None], tf.shape(near))
        items = tf.broadcast_to(item_index[:, None], tf.shape(near)) if of_users else near
        rated, rating = self._find(users, items)
        counts = (rated & real) if rule.only_raters else real
        counts &= tf.cumsum(tf.cast(counts, tf.int32), axis=1) <= rule.neighbors
        weights = tf.where(counts, tf.pow(similarity, rule.power), 0.0)
        base = self._base(user_index, item_index)  # (batch,)
        there = self._base(users, items)  # (batch, length)
        if rule.own_level:
            change = tf.where(rated, rating - there, 0.0)
        else:
            change = tf.where(rated, rating, there) - base[:, None]
        total = rule.shrinkage + tf.reduce_sum(weights, axis=1)
        added = tf.math.divide_no_nan(tf.reduce_sum(weights * change, axis=1), total)
        return (base + added)[:, None]

    def fill(self, scorer: NeighborScorer) -> None:
        """Fill the weights of a built layer with what a scorer knows."""
        rows, lists = scorer.rows, scorer.lists
        self.indptr.assign(rows.indptr)
        self.item_index.assign(rows.column)
        self.rating.assign(scorer.biases.less_days(rows))
        self.user_base.assign(lists.user_base)
        self.item_base.assign(lists.item_base)
        self.neighbor_index.assign(lists.neighbor_index)
        self.similarity.assign(lists.neighbor_similarity)

    def _base(self, users: Any, items: Any) -> Any:
        user = tf.gather(self.user_base.value, users)
        return user + tf.gather(self.item_base.value, items)

    def _find(self, users: Any, items: Any) -> tuple[Any, Any]:
        """Whether there is a rating, and it, by binary search in the user's row."""
        low = tf.gather(self.indptr.value, users)
        end = tf.gather(self.indptr.value, users + 1)
        high = end
        last = max(self.sizes["n_ratings"] - 1, 0)
        for _ in range(self.sizes["n_items"].bit_length()):
            middle = (low + high) // 2
            smaller = tf.gather(self.item_index.value, tf.minimum(middle, last)) < items
            smaller &= low < high
            low, high = tf.where(smaller, middle + 1, low), tf.where(smaller, high, middle)
        position = tf.minimum(low, last)
        found = (low < end) & (tf.gather(self.item_index.value, position) == items)
        return found, tf.gather(self.rating.value, position)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.sizes, "rule": asdict(self.rule)}
