"""SGD with momentum, as Keras does it, without its passes over whole embedding tables.

With rate r, momentum β, gradient g and the L2 penalty λ of a table, Keras' step of a row is

    velocity ← β velocity - r (g + 2 λ row),   row ← row + velocity,

for every row, also where g is 0. With p = β velocity it is to add -r g to p, and then

    (row, p) ← A (row, p),   A = [[1 - 2 λ r, 1], [-2 λ r β, β]].

So a row can be left alone while nobody reads it: the k steps it has missed are the k-th power of A.
It makes up for them when it is read next, and all rows do at the end of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from bigrec.datasets.pairs import BLOCK_BATCHES
from bigrec.models.options import GradientOptions
from bigrec.train.replicas import sum_gradients


class _Table(NamedTuple):
    value: tf.Variable
    """(n, size) float32: the rows."""
    slot: tf.Variable
    """(n, size) float32: p of each."""
    input: int
    """The input of the model that says which rows are read."""
    l2: float


class Momentum:
    """Updates embedding rows when they are read, and other variables at every step."""

    def __init__(
        self, variables: list[Any], options: GradientOptions, inputs: Sequence[int | None]
    ) -> None:
        """Take over the L2 penalties of the tables, which are then none of the model's losses.

        Args:
            variables: of Keras.
            options: learning_rate and momentum.
            inputs: for each variable the input of the model that says which of its rows are read;
                None for one that is not a table.
        """
        self.learning_rate_factor = tf.Variable(1.0, name="learning_rate_factor")
        self._rate, self._momentum = options.learning_rate, options.momentum
        self._values = [variable.value for variable in variables]
        # p of tables, the velocity of others.
        self._slots = [tf.Variable(tf.zeros_like(value)) for value in self._values]
        self.variables = [self.learning_rate_factor, *self._slots]
        self._step = tf.Variable(0, name="step_of_block")
        self._tables = [
            _Table(value, slot, number, _take_over_l2(variable))
            for variable, value, slot, number in zip(
                variables, self._values, self._slots, inputs, strict=True
            )
            if number is not None
        ]
        # (n,) int32 by input: the steps of the block that each row of its tables has taken.
        self._done = {
            table.input: tf.Variable(tf.zeros(table.value.shape[0], tf.int32))
            for table in self._tables
        }
        self._dense = [number is None for number in inputs]

    def read_rows(self, inputs: Sequence[Any]) -> None:
        """Bring the rows up to date that these inputs of the model are about to read."""
        missed = {}
        for number, done in self._done.items():
            index = inputs[number]
            taken = tf.gather(done, index)
            missed[number] = self._step - taken
            # The maximum is the step. XLA writes in place only what needs what was read before.
            done.scatter_update(tf.IndexedSlices(tf.maximum(taken, self._step), index))
        for table in self._tables:
            index = inputs[table.input]
            row, p = self._advance(table, missed[table.input], *(
                tf.gather(variable, index) for variable in (table.value, table.slot)
            ))  # fmt: skip
            table.value.scatter_update(tf.IndexedSlices(row, index))
            table.slot.scatter_update(tf.IndexedSlices(p, index))

    def apply(self, gradients: list[Any], batch_size: Any) -> None:  # noqa: ARG002
        """Update every variable by its gradient, or note it for a row's next reading."""
        rate = self._rate * self.learning_rate_factor
        for value, slot, gradient, is_dense in zip(
            self._values, self._slots, sum_gradients(gradients), self._dense, strict=True
        ):
            if is_dense:
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=value.handle, accum=slot.handle, lr=rate, grad=gradient,
                    momentum=self._momentum,
                )  # fmt: skip
            else:
                slot.scatter_sub(tf.IndexedSlices(rate * gradient.values, gradient.indices))
        self._step.assign_add(1)

    def end_block(self) -> None:
        """Bring all rows up to date."""
        for table in self._tables:
            missed = self._step - self._done[table.input]
            row, p = self._advance(table, missed, table.value, table.slot)
            table.value.assign(row)
            table.slot.assign(p)
        for done in self._done.values():
            done.assign(tf.zeros_like(done))
        self._step.assign(0)

    def _advance(self, table: _Table, missed: Any, row: Any, p: Any) -> tuple[Any, Any]:
        """Rows, (n, size), after the steps that each has missed: (n,) int32."""
        rate = self._rate * self.learning_rate_factor
        decay = 2 * table.l2 * rate
        step = tf.reshape(
            tf.stack([1 - decay, 1.0, -decay * self._momentum, self._momentum]), (2, 2)
        )
        powers = tf.eye(2)[None]
        for _ in range(BLOCK_BATCHES.bit_length()):  # so many doublings are enough for a block
            powers = tf.concat([powers, step @ powers], axis=0)
            step @= step
        taken = tf.gather(powers, missed)  # (n, 2, 2)
        return tuple(
            taken[:, subset, 0, None] * row + taken[:, subset, 1, None] * p for subset in (0, 1)
        )


def _take_over_l2(variable: Any) -> float:
    regularizer, variable.regularizer = variable.regularizer, None
    return 0.0 if regularizer is None else float(regularizer.l2)
