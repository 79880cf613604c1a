"""What a training needs of its device's memory, and the error when there is not enough."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from bigrec.errors import ResourceError
from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import Model
from bigrec.models.gradient_model import GradientModel, StepPlan
from bigrec.models.keras_scorer import PAIRS_AT_ONCE, USERS_AT_ONCE, takes_rows
from bigrec.models.layers import RowEmbedding
from bigrec.models.options import GradientOptions
from bigrec.resources import format_bytes
from bigrec.rows import DataSpec
from bigrec.train.devices import Devices

_FLOAT_BYTES: Final = 4
_KEPT_PER_WEIGHT: Final = {"sgd": 1, "adaptive": 2}
"""Values that an optimizer keeps for a trained weight; adaptive one for a whole row of a table."""
_KEPT_BY_PRIORS: Final = 2
"""And with implicit terms: about a mean and a term."""


@dataclass(frozen=True)
class MemoryNeed:
    """An estimate of what a training keeps on its device, in bytes; buffers of TensorFlow apart."""

    parameters: int
    """The weights of the model."""
    optimizer: int
    """What the optimizer and the implicit terms keep for each of them."""
    activations: int
    """Outputs of all layers for a step, with their gradients, or for a batch of evaluation."""
    cache: int
    """The train subset, if it is kept there."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.optimizer + self.activations + self.cache


def estimate_need(
    model: GradientModel,
    spec: DataSpec,
    options: GradientOptions,
    *,
    n_train: int,
    cache_bytes: int = 0,
) -> MemoryNeed:
    """Estimate what a training needs, from the shapes of the model; nothing large is made.

    Args:
        model: what is trained.
        spec: sizes.
        options: its hyper-parameters.
        n_train: ratings of the train subset.
        cache_bytes: what of the train subset is kept on the device.
    """
    # In a graph of its own, which nobody runs, variables have shapes but no memory.
    with tf.Graph().as_default():
        network = model.build(spec, options, _no_biases(spec))
    plan = model.plan(options)
    n_weights = sum(math.prod(weight.shape) for weight in network.weights)
    n_trained = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    width = sum(_width(layer.output) for layer in network.layers)
    n_scored = USERS_AT_ONCE if takes_rows(network) else PAIRS_AT_ONCE
    n_at_once = max(2 * _step_size(plan, options, spec, n_train), n_scored)
    n_kept = _KEPT_PER_WEIGHT[options.optimizer] * n_trained
    if options.optimizer == "adaptive":
        tables = [layer.embeddings for layer in network.layers if isinstance(layer, RowEmbedding)]
        n_kept -= sum(n_rows * (2 * size - 1) for n_rows, size in (t.shape for t in tables))
    if plan.keeps_prior:
        n_kept += _KEPT_BY_PRIORS * n_trained
    return MemoryNeed(
        parameters=_FLOAT_BYTES * n_weights,
        optimizer=_FLOAT_BYTES * n_kept,
        activations=_FLOAT_BYTES * n_at_once * width,
        cache=cache_bytes,
    )


def check_devices(
    model: GradientModel,
    spec: DataSpec,
    options: GradientOptions,
    devices: Devices,
    *,
    n_train: int,
    cache_bytes: int = 0,
) -> None:
    """Refuse a training that the devices cannot hold, before anything is allocated.

    Args:
        model, spec, options, n_train, cache_bytes: see estimate_need.
        devices: where to train.

    Raises:
        ResourceError: their memory does not suffice.
    """
    if devices.memory_bytes is None:
        return
    # No step has more rows than there are.
    fitting = dataclasses.replace(options, batch_size=min(options.batch_size, max(n_train, 1)))
    need = estimate_need(model, spec, fitting, n_train=n_train, cache_bytes=cache_bytes)
    if need.total > devices.memory_bytes:
        raise too_little_memory(model, need, options, devices)


@contextmanager
def explaining_exhaustion(
    model: GradientModel,
    spec: DataSpec,
    options: GradientOptions,
    devices: Devices,
    *,
    n_train: int,
    cache_bytes: int = 0,
) -> Iterator[None]:
    """Turn an allocation that fails in the block into an error that says what was needed.

    Args:
        model, spec, options, n_train, cache_bytes: see estimate_need.
        devices: where the block computes.

    Raises:
        ResourceError: memory did not suffice.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        need = estimate_need(model, spec, options, n_train=n_train, cache_bytes=cache_bytes)
        raise too_little_memory(model, need, options, devices) from error


@contextmanager
def explaining_exhausted_fit(model: Model, devices: Devices) -> Iterator[None]:
    """Do the same for a model that is fitted at once.

    Args:
        model: what is fitted in the block.
        devices: where it computes.

    Raises:
        ResourceError: memory did not suffice.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise ResourceError(
            f"out of memory on {devices.names[0]} while fitting {model.name}",
            hint="train on fewer users or items, or lower --memory",
        ) from error


def too_little_memory(
    model: GradientModel, need: MemoryNeed, options: GradientOptions, devices: Devices
) -> ResourceError:
    """The error of a training that needs more than the devices have."""
    has = devices.memory_bytes
    return ResourceError(
        f"out of memory on {devices.names[0]}"
        + (f", which has {format_bytes(has)}" if has else "")
        + f": training {model.name} needs about {format_bytes(need.total)} there "
        f"(weights {format_bytes(need.parameters)}, optimizer {format_bytes(need.optimizer)}, "
        f"activations {format_bytes(need.activations)}, "
        f"cached ratings {format_bytes(need.cache)})",
        hint=_advise(need, model.plan(options), options, devices),
    )


def _advise(need: MemoryNeed, plan: StepPlan, options: GradientOptions, devices: Devices) -> str:
    """What to lower: what takes most."""
    largest = max(need.parameters + need.optimizer, need.activations, need.cache)
    if largest == need.cache:
        advice = "read the train subset from disk with --cache off"
    else:
        names = list(plan.sizes)
        names += ["batch_size"] if largest == need.activations else []
        values = ", ".join(f"--set {name}={getattr(options, name)}" for name in names)
        advice = f"lower {values}, or keep fewer users and items in the split"
    return advice + (", or train with --device cpu" if devices.kind == "gpu" else "")


def _step_size(plan: StepPlan, options: GradientOptions, spec: DataSpec, n_train: int) -> int:
    """How many times a step evaluates the model: its rows, or of codes their ratings."""
    if plan.loop == "codes":
        n_rows = spec.n_items if plan.by_item else spec.n_users
        return options.batch_size * -(-n_train // n_rows)
    return options.batch_size


def _width(output: Any) -> int:
    """Values of one example: of (batch, …) all but the first axis."""
    return math.prod(output.shape[1:])


def _no_biases(spec: DataSpec) -> Biases:
    user, item = np.zeros(spec.n_users, np.float32), np.zeros(spec.n_items, np.float32)
    return Biases(spec.mean_rating, user, item, item, user, item)
