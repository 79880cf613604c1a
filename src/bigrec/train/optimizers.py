"""Optimizers that touch only the embedding rows of a batch; see momentum for the notebook's.

Keras' optimizers update whole tables; with large vocabularies that is nearly all of a step's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from bigrec.models.layers import row_sums
from bigrec.models.options import GradientOptions
from bigrec.train.momentum import Momentum
from bigrec.train.replicas import sum_gradients

ADAGRAD_EPSILON = 0.1  # damps the first steps of a row, whose accumulator starts at zero
_ADAM_EPSILON = 1e-7


class Optimizer(Protocol):
    """Applies gradients to the variables that it was made for."""

    learning_rate_factor: tf.Variable
    """Scalar float32 that multiplies every learning rate; 1 unless a schedule changes it."""
    variables: list[tf.Variable]
    """All state: slots, step counters and the factor."""

    def read_rows(self, inputs: Sequence[Any]) -> None:
        """Prepare the embedding rows that a step reads.

        Args:
            inputs: those of the model for the whole batch: indices of rows, (batch,) each.
        """

    def apply(self, gradients: list[Any], batch_size: Any) -> None:
        """Update every variable.

        Args:
            gradients: of each variable, by the terms that this device's part of the batch has in a
                loss which is a mean over all batch_size rows.
            batch_size: rows of the whole batch, a scalar.
        """

    def end_block(self) -> None:
        """Finish what steps have left undone, before anybody else reads the variables."""


class Adaptive:
    """Adagrad on embedding rows (Duchi, Hazan, Singer 2011), Adam elsewhere (Kingma, Ba 2015).

    A variable whose gradient is sparse is an embedding. Its rows get the gradient of a
    rating's own loss, so that a row's step does not shrink as batches grow. A row has one
    accumulator, of the mean square of its gradient's elements (Mudigere et al., "Software-Hardware
    Co-design for Fast and Scalable Training of Deep Learning Recommendation Models", ISCA 2022):
    beside the row itself, a step then reads and writes four bytes.
    """

    def __init__(
        self, variables: list[Any], options: GradientOptions, inputs: Sequence[int | None]
    ) -> None:
        """See Momentum for inputs."""
        self._values = [variable.value for variable in variables]
        self._rate, self._dense_rate = options.learning_rate, options.dense_learning_rate
        self.learning_rate_factor = tf.Variable(1.0, name="learning_rate_factor")
        self._step = tf.Variable(0, dtype=tf.int64, name="step")
        self._first = [
            tf.Variable(tf.zeros_like(value) if number is None else tf.zeros((value.shape[0], 1)))
            for value, number in zip(self._values, inputs, strict=True)
        ]
        self._second: list[Any] = [
            tf.Variable(tf.zeros_like(value)) if number is None else None
            for value, number in zip(self._values, inputs, strict=True)
        ]
        self.variables = [self.learning_rate_factor, self._step, *self._first]
        self.variables += [second for second in self._second if second is not None]

    def read_rows(self, inputs: Sequence[Any]) -> None:
        """Nothing: rows are always up to date."""

    def end_block(self) -> None:
        """Nothing."""

    def apply(self, gradients: list[Any], batch_size: Any) -> None:
        """Update the rows or the whole of every variable by its gradient."""
        step = tf.cast(self._step.assign_add(1), tf.float32)
        scale = tf.cast(batch_size, tf.float32)
        rate = self._rate * self.learning_rate_factor
        dense_rate = self._dense_rate * self.learning_rate_factor
        for value, first, second, gradient in zip(
            self._values, self._first, self._second, sum_gradients(gradients), strict=True
        ):
            if isinstance(gradient, tf.IndexedSlices):
                rows = gradient.values * scale
                squares = row_sums(tf.square(rows)) / rows.shape[-1]  # (batch, 1)
                first.scatter_add(tf.IndexedSlices(squares, gradient.indices))
                root = tf.sqrt(tf.gather(first, gradient.indices))
                value.scatter_sub(
                    tf.IndexedSlices(rate / (root + ADAGRAD_EPSILON) * rows, gradient.indices)
                )
            else:
                tf.raw_ops.ResourceApplyAdam(
                    var=value.handle, m=first.handle, v=second.handle,
                    beta1_power=0.9**step, beta2_power=0.999**step, lr=dense_rate,
                    beta1=0.9, beta2=0.999, epsilon=_ADAM_EPSILON, grad=gradient,
                )  # fmt: skip


def make_optimizer(
    variables: list[Any], options: GradientOptions, inputs: Sequence[int | None]
) -> Optimizer:
    """The optimizer that the options name; see Momentum for inputs."""
    if options.optimizer == "sgd":
        return Momentum(variables, options, inputs)
    return Adaptive(variables, options, inputs)
