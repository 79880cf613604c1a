"""Optimizers that touch only the embedding rows of a batch.

Keras' optimizers update whole tables; with large vocabularies that is nearly all of a step's work.
"""

from __future__ import annotations

from typing import Any, Protocol

import keras
import tensorflow as tf

from bigrec.models.options import GradientOptions
from bigrec.train.replicas import sum_gradients

ADAGRAD_EPSILON = 0.1  # damps the first steps of a row, whose accumulator starts at zero
_ADAM_EPSILON = 1e-7


class Optimizer(Protocol):
    """Applies gradients to the variables that it was made for."""

    learning_rate_factor: tf.Variable
    """Scalar float32 that multiplies every learning rate; 1 unless a schedule changes it."""
    variables: list[tf.Variable]
    """All state: slots, step counters and the factor."""

    def apply(self, gradients: list[Any], batch_size: Any) -> None:
        """Update every variable.

        Args:
            gradients: of each variable, by the terms that this device's part of the batch has in a
                loss which is a mean over all batch_size rows.
            batch_size: rows of the whole batch, a scalar.
        """


class Sgd:
    """Keras' SGD with momentum; updates whole tables, as the notebook does."""

    def __init__(self, variables: list[Any], options: GradientOptions) -> None:
        self.learning_rate_factor = factor = tf.Variable(1.0, name="learning_rate_factor")
        self._model_variables = variables
        self._keras = keras.optimizers.SGD(
            lambda: options.learning_rate * factor, momentum=options.momentum
        )
        self._keras.build(variables)
        self.variables = [factor, *(variable.value for variable in self._keras.variables)]

    def apply(self, gradients: list[Any], batch_size: Any) -> None:  # noqa: ARG002
        """Update every variable; Keras sums the gradients of all devices."""
        self._keras.apply(gradients, self._model_variables)


class Adaptive:
    """Adagrad on embedding rows (Duchi, Hazan, Singer 2011), Adam elsewhere (Kingma, Ba 2015).

    A variable whose gradient is sparse is an embedding. Its rows get the gradient of a
    rating's own loss, so that a row's step does not shrink as batches grow.
    """

    def __init__(self, variables: list[Any], options: GradientOptions) -> None:
        self._values = [variable.value for variable in variables]
        self._rate, self._dense_rate = options.learning_rate, options.dense_learning_rate
        self.learning_rate_factor = tf.Variable(1.0, name="learning_rate_factor")
        self._step = tf.Variable(0, dtype=tf.int64, name="step")
        self._first = [tf.Variable(tf.zeros_like(v)) for v in self._values]
        self._second = [tf.Variable(tf.zeros_like(v)) for v in self._values]
        self.variables = [self.learning_rate_factor, self._step, *self._first, *self._second]

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
                first.scatter_add(tf.IndexedSlices(tf.square(rows), gradient.indices))
                root = tf.sqrt(tf.gather(first, gradient.indices))
                value.scatter_sub(
                    tf.IndexedSlices(rate * rows / (root + ADAGRAD_EPSILON), gradient.indices)
                )
            else:
                tf.raw_ops.ResourceApplyAdam(
                    var=value.handle, m=first.handle, v=second.handle,
                    beta1_power=0.9**step, beta2_power=0.999**step, lr=dense_rate,
                    beta1=0.9, beta2=0.999, epsilon=_ADAM_EPSILON, grad=gradient,
                )  # fmt: skip


def make_optimizer(variables: list[Any], options: GradientOptions) -> Optimizer:
    """The optimizer that the options name."""
    kinds: dict[str, type[Sgd] | type[Adaptive]] = {"sgd": Sgd, "adaptive": Adaptive}
    return kinds[options.optimizer](variables, options)
