"""The estimate of memory counts what there is, and a failed allocation is told with it."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from bigrec.errors import ResourceError
from bigrec.models.baseline.bias import Biases
from bigrec.models.deep.model import DnnOptions
from bigrec.models.factorization.model import MatrixFactorizationOptions
from bigrec.models.options import GradientOptions, override
from bigrec.models.registry import MODELS
from bigrec.rows import DataSpec
from bigrec.train.devices import Devices
from bigrec.train.loop import PairLoop
from bigrec.train.memory import estimate_need, explaining_exhaustion
from tests.support.gradient_models import GRADIENT_MODELS, gradient_model
from tests.support.packed_pairs import SHARDS

SPEC = DataSpec(50, 20, 3.5, 1.0, 5.0)
GPU = Devices("gpu", ("/GPU:0",), 8 << 30)

PRESETS = [(name, preset) for name in GRADIENT_MODELS for preset in MODELS[name].presets]


def make_biases() -> Biases:
    user, item = np.zeros(50, np.float32), np.zeros(20, np.float32)
    return Biases(3.5, user, item, item, user, item)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_weights_are_counted_as_the_built_model_has_them(name: str, preset: str) -> None:
    definition = gradient_model(name)
    options: Any = definition.presets[preset]
    need = estimate_need(definition, SPEC, options, n_train=400, cache_bytes=3)
    model: keras.Model = definition.build(SPEC, options, make_biases())
    assert need.parameters == 4 * model.count_params()
    assert need.cache == 3
    assert need.total == need.parameters + need.optimizer + need.activations + 3


@pytest.mark.parametrize("optimizer", ["sgd", "adaptive"])
def test_the_optimizer_is_counted_as_it_is_made(optimizer: str) -> None:
    options = DnnOptions(optimizer=optimizer, batch_size=8)
    definition = gradient_model("dnn")
    need = estimate_need(definition, SPEC, options, n_train=400)
    loop = PairLoop(definition.build(SPEC, options, make_biases()), options, SHARDS)
    # Everything is float32, but seeds, counters and the rate: a few numbers.
    held = sum(4 * math.prod(variable.shape) for variable in loop.variables)
    assert need.parameters + need.optimizer == pytest.approx(held, rel=1e-3)


def test_activations_follow_the_batch_or_the_evaluation() -> None:
    def activations(batch_size: int) -> int:
        options = MatrixFactorizationOptions(batch_size=batch_size)
        return estimate_need(
            gradient_model("matrix-factorization"), SPEC, options, n_train=1
        ).activations

    assert activations(1) == activations(4096)
    assert activations(1 << 20) == 256 * activations(4096)


@pytest.mark.parametrize(
    ("options", "cache_bytes", "advice"),
    [
        (
            MatrixFactorizationOptions(embedding_size=1000, batch_size=8),
            0,
            "lower --set embedding_size=1000, --set batch_size=8, or keep fewer users",
        ),
        (DnnOptions(batch_size=10**6), 0, "second_units=128, --set batch_size=1000000"),
        (DnnOptions(), 5 << 30, "--cache off"),
    ],
)
def test_a_failed_allocation_says_what_is_needed_and_what_to_lower(
    options: GradientOptions, cache_bytes: int, advice: str
) -> None:
    told = explaining_exhaustion(
        gradient_model("dnn" if isinstance(options, DnnOptions) else "matrix-factorization"),
        SPEC, options, GPU, n_train=400, cache_bytes=cache_bytes,
    )  # fmt: skip
    with pytest.raises(ResourceError) as caught, told:
        tf.zeros((1 << 20, 1 << 30))  # 4 PiB, more than can be addressed
    assert "out of memory on /GPU:0, which has 8.0 GiB" in caught.value.message
    assert "needs about" in caught.value.message
    assert advice in caught.value.hint
    assert "--device cpu" in caught.value.hint
    assert caught.value.exit_code == 5


def test_sizes_in_the_message_are_those_of_the_model() -> None:
    options: Any = override(MODELS["dnn"].presets["notebook"], {"first_units": "100000000000"})
    told = explaining_exhaustion(gradient_model("dnn"), SPEC, options, GPU, n_train=400)
    # The kernels of 20 and 128 columns, a bias and four vectors of batch normalisation.
    with pytest.raises(ResourceError, match=r"weights 55\.7 TiB"), told:
        tf.zeros((1 << 20, 1 << 30))


def test_other_errors_pass() -> None:
    told = explaining_exhaustion(gradient_model("dnn"), SPEC, DnnOptions(), GPU, n_train=400)
    with pytest.raises(ZeroDivisionError), told:
        raise ZeroDivisionError
