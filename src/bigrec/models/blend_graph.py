"""Blended scores as a graph of TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from bigrec.models.graphs import constant

if TYPE_CHECKING:
    from bigrec.models.blend import Blend
    from bigrec.models.scoring import Graph


class BlendGraph(tf.Module):
    """Scores of a blend."""

    def __init__(self, blend: Blend, components: Sequence[Graph]) -> None:
        super().__init__()
        biases = blend.biases
        self._weights = blend.weights
        self._components = list(components)
        self._mean = biases.mean
        self._user_bias, self._item_bias = constant(biases.user), constant(biases.item)
        self._user_support = constant(blend.user_support)
        self._item_support = constant(blend.item_support)

    def __call__(self, user_index: tf.Tensor, item_index: tf.Tensor) -> tf.Tensor:
        """Scores of pairs, not clipped."""
        return self._weights.combine(
            self._mean
            + tf.gather(self._user_bias, user_index)
            + tf.gather(self._item_bias, item_index),
            [one(user_index, item_index) for one in self._components],
            tf.gather(self._user_support, user_index),
            tf.gather(self._item_support, item_index),
        )
