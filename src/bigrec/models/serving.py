"""A scorer as one TensorFlow graph from raw ids to scores, which runs without bigrec.

Whatever a scorer does in NumPy around its Keras models is done here in the graph: ids are looked
up, rows of ratings are gathered, scores are blended, cold pairs get the bias model's score, and all
is clipped to the scale. Only days are left out: a score is that of a day without ratings.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from bigrec.errors import RunError
from bigrec.models.graphs import constant
from bigrec.models.scoring import Scorer

Array = np.ndarray[Any, Any]

_HASHES: Final = (1 << 63) - 1


class ServedModel(tf.Module):
    """Scores of raw ids. Save it with `save_served`."""

    user_types: tuple[tf.DType, ...]
    """Of the tensors of user ids that it takes, the one of the table first."""
    item_types: tuple[tf.DType, ...]
    """Of item ids, likewise."""

    def __init__(self, scorer: Scorer, user_ids: Array, item_ids: Array) -> None:
        """Build the graph.

        Args:
            scorer: a trained model or a blend.
            user_ids: (n_users,) the id of each user_index, as in the source: int, ascending; or
                texts, an array of objects.
            item_ids: (n_items,) the id of each item_index, likewise.

        Raises:
            RunError: this scorer has no graph.
        """
        super().__init__()
        graph = scorer.graph()
        if graph is None:
            raise RunError(
                f"{type(scorer).__name__} gives no TensorFlow graph, so there is nothing to export",
                hint="score by bigrec predict or bigrec recommend, or give it a method `graph`",
            )
        biases = scorer.biases
        self._users = _id_table(user_ids, biases.user, biases.user_count)
        self._items = _id_table(item_ids, biases.item, biases.item_count)
        self.user_types, self.item_types = self._users.types, self._items.types
        self._mean = biases.mean
        self._scale = scorer.spec.min_rating, scorer.spec.max_rating
        self._warm = graph

    # AutoGraph would leave files in the temporary folder. Were it inlined into its signature and
    # into its casts, each of them would be optimized on its own, to other last bits.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def __call__(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score pairs; a saved model takes what `save_served` says.

        Args:
            user_id: (n,) int64 or int32, or string where ids are texts; as in the source, known or
                not; n may be 0.
            item_id: (n,) likewise, as many.

        Returns:
            score: (n,) float32, stars, clipped to the scale. is_fallback: (n,) bool, whether the
            user or the item has no train row, so that the bias model gave the score.
        """
        user_type, item_type = self.user_types[0], self.item_types[0]
        if (user_id.dtype, item_id.dtype) != (user_type, item_type):
            scores: dict[str, tf.Tensor] = self(
                tf.cast(user_id, user_type), tf.cast(item_id, item_type)
            )
            return scores
        user_index, user_bias, is_user_warm = self._users.look_up(user_id)
        item_index, item_bias, is_item_warm = self._items.look_up(item_id)
        # Stacking refuses what is not as many of both; some models would spread one over the other.
        user_index, item_index = tf.unstack(tf.stack([user_index, item_index]))
        is_warm = tf.logical_and(is_user_warm, is_item_warm)
        fallback = self._mean + user_bias + item_bias
        scores = tf.where(is_warm, self._warm(user_index, item_index), fallback)
        return {
            "score": tf.clip_by_value(scores, *self._scale),
            "is_fallback": tf.logical_not(is_warm),
        }


def save_served(served: ServedModel, folder: Path) -> None:
    """Save it for tf.saved_model.load and TensorFlow Serving.

    Called as a function, the saved model takes two tensors, arrays or lists of one axis, each of
    int64 or int32, or of strings where ids are texts, and refuses what has another type or number
    of axes. Its signature serving_default takes int64, or strings.

    Args:
        served: the graph.
        folder: where to save it.
    """
    for user_type, item_type in itertools.product(served.user_types, served.item_types):
        # Each kind of call is a graph of its own; those that cast call the one that scores.
        served.__call__.get_concrete_function(
            tf.TensorSpec((None,), user_type, "user_id"),
            tf.TensorSpec((None,), item_type, "item_id"),
        )
    serving = served.__call__.get_concrete_function(
        tf.TensorSpec((None,), served.user_types[0], "user_id"),
        tf.TensorSpec((None,), served.item_types[0], "item_id"),
    )
    with _scratch_in(folder):
        tf.saved_model.save(served, str(folder), signatures=serving)


@contextmanager
def _scratch_in(folder: Path) -> Iterator[None]:
    """Let temporary files be made in a folder that is removed at the end.

    Saving traces a function of TensorFlow's own, whose code AutoGraph writes to a temporary file
    that stays where the process ends at once or is killed.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        tempfile.tempdir = scratch
        try:
            yield
        finally:
            tempfile.tempdir = before


class _IdTable(tf.Module):
    """Ids of users or of items, with their biases."""

    types: tuple[tf.DType, ...] = (tf.int64, tf.int32)
    """Of ids; `look_up` takes the first one."""

    def __init__(self, ids: Array, bias: Array, count: Array) -> None:
        super().__init__()
        self._ids = constant(ids.astype(np.int64))
        self._bias = constant(bias)
        self._is_warm = constant(count > 0)

    def look_up(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Index, bias and whether there are train rows: (n,) each; 0, 0, no for an unknown id."""
        position = tf.minimum(tf.searchsorted(self._ids, ids), tf.size(self._ids) - 1)
        return self._of(position, tf.gather(self._ids, position) == ids)

    def _of(
        self, position: tf.Tensor, is_known: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What `look_up` gives, of positions in the table that count where the id is known."""
        index = tf.where(is_known, position, 0)
        bias = tf.where(is_known, tf.gather(self._bias, index), 0.0)
        return index, bias, tf.logical_and(is_known, tf.gather(self._is_warm, index))


class _KeyTable(_IdTable):
    """The same of ids that are texts: found by a hash of 63 bits, then compared letter by letter.

    The lookup tables of TensorFlow would put all texts into the graph, which may not exceed 2 GB,
    or into a file of lines, which a text may break.
    """

    types = (tf.string,)

    def __init__(self, keys: Array, bias: Array, count: Array) -> None:
        texts = np.array([key.encode() for key in keys], object)
        self._salt, hashes = _hash_apart(texts)
        order = np.argsort(hashes)
        super().__init__(hashes[order], bias, count)
        self._keys = tf.Variable(texts[order], trainable=False, dtype=tf.string)
        self._index = constant(order.astype(np.int32))

    def look_up(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """As of any table; `ids` are strings."""
        hashes = _hash(ids, self._salt)
        position = tf.minimum(tf.searchsorted(self._ids, hashes), tf.size(self._ids) - 1)
        is_known = tf.gather(self._keys, position) == ids
        return self._of(tf.gather(self._index, position), is_known)


def _id_table(ids: Array, bias: Array, count: Array) -> _IdTable:
    return (_KeyTable if ids.dtype == object else _IdTable)(ids, bias, count)


def _hash_apart(texts: Array) -> tuple[int, Array]:
    """A salt by which no two texts have the same hash, and the hashes: (n,) int64."""
    salt = 0
    while True:
        hashes: Array = _hash(tf.constant(texts, tf.string), salt).numpy()
        if np.diff(np.sort(hashes)).all():
            return salt, hashes
        salt += 1


def _hash(texts: tf.Tensor, salt: int) -> tf.Tensor:
    return tf.strings.to_hash_bucket_strong(texts, _HASHES, key=[salt, salt])
