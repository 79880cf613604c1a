"""Steps on one device or on several: parts of a batch, and the sum of what they give.

With several devices (tf.distribute.MirroredStrategy) each has a copy of every variable and runs
each step on its part of the batch; gradients are exchanged before any is applied, so that all
copies stay alike and a step is that of one device on the whole batch. On one device a part is the
whole and a sum its only term: the step loops have one form for both. A loop is made and called in
the scope of its devices (see devices).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def count_devices() -> int:
    """The devices of the scope that this is called in."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def run_step(step: Callable[..., Any], *batch: Any) -> Any:
    """Run a step on every device, and sum what it returns: a scalar.

    Args:
        step: gets the whole batch, and takes its part of it.
        batch: tensors.
    """
    strategy = tf.distribute.get_strategy()
    return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(step, batch), axis=None)


def take_part(*arrays: Any) -> tuple[Any, ...]:
    """The part of this device: as many rows of each array for every device, in their order."""
    replica = tf.distribute.get_replica_context()
    size = tf.shape(arrays[0])[0] // replica.num_replicas_in_sync
    start = replica.replica_id_in_sync_group * size
    return tuple(array[start : start + size] for array in arrays)


def take_rows_part(row: Any, lengths: Any, *values: Any) -> tuple[Any, ...]:
    """Likewise of sparse rows: (n_rows,) each, and values of all rows one after the other."""
    ends = tf.concat([[0], tf.cumsum(lengths)], axis=0)  # (n_rows + 1,)
    rows, part_lengths, starts, stops = take_part(row, lengths, ends[:-1], ends[1:])
    return rows, part_lengths, *(value[starts[0] : stops[-1]] for value in values)


def sum_gradients(gradients: list[Any]) -> list[Any]:
    """The gradients of a whole batch from those of this device's part.

    Those of embedding rows are not added up but put one behind the other, in the order of the
    batch: each row keeps the gradient of each of its ratings.
    """
    replica = tf.distribute.get_replica_context()

    def whole(gradient: Any) -> Any:
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(
                replica.all_gather(gradient.values, axis=0),
                replica.all_gather(gradient.indices, axis=0),
            )
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, gradient)

    return [whole(gradient) for gradient in gradients]
