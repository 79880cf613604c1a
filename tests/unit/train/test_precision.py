"""Mixed precision: bfloat16 inside the hidden layers, float32 outside, nearly the same training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

from bigrec.models.baseline.bias import Biases
from bigrec.models.options import override
from bigrec.rows import ITEM_INDEX, PAIRS, RATING, ROW_LENGTHS, USER_INDEX, DataSpec
from bigrec.train.device_options import POLICIES
from bigrec.train.loop import PairLoop, RowLoop
from tests.support.gradient_models import gradient_model
from tests.support.packed_pairs import SHARDS, pack

N_USERS, N_ITEMS = 60, 12
SPEC = DataSpec(N_USERS, N_ITEMS, 3.5, 1.0, 5.0)
SMALL = {"first_units": "16", "second_units": "8", "batch_size": "32"}
DENSE = [
    ("dnn", {"optimizer": "adaptive", "dropout": "0.2"}),
    ("autorec", {"optimizer": "adaptive", "batch_size": "20"}),
]

Array = np.ndarray[Any, Any]


def make_biases() -> Biases:
    rng = np.random.default_rng(1)
    user, item = (rng.normal(0, 0.1, n).astype("f4") for n in (N_USERS, N_ITEMS))
    return Biases(3.5, user, item, item, np.ones(N_USERS), np.ones(N_ITEMS))


def make_block(name: str) -> dict[str, Any]:
    """One block: items of users, with ratings that have a structure to be learnt."""
    rng = np.random.default_rng(2)
    truth = 3.5 + rng.normal(0, 0.6, (N_USERS, 2)) @ rng.normal(0, 0.8, (2, N_ITEMS))
    user, item = np.divmod(rng.permutation(N_USERS * N_ITEMS).astype("i4"), np.int32(N_ITEMS))
    if name == "autorec":
        return {
            USER_INDEX: tf.range(20), ROW_LENGTHS: tf.fill((20,), N_ITEMS),
            ITEM_INDEX: tf.tile(tf.range(N_ITEMS), (20,)),
            RATING: tf.constant(truth[:20].ravel(), tf.float32),
        }  # fmt: skip
    packed = pack(user, item, np.clip(np.round(2 * truth[user, item]) / 2, 1, 5))
    return {PAIRS: tf.constant(packed[:704].reshape(22, 32))}


def make_loop(name: str, changes: dict[str, str], precision: str) -> tuple[keras.Model, Any]:
    keras.utils.set_random_seed(3)
    definition = gradient_model(name)
    options: Any = override(definition.presets["notebook"], {**SMALL, **changes})
    model = definition.build(SPEC, options, make_biases(), policy=POLICIES[precision])
    return model, RowLoop(model, options, N_ITEMS) if name == "autorec" else PairLoop(
        model, options, SHARDS
    )


@pytest.mark.parametrize(("name", "changes"), DENSE)
def test_mixed_training_nearly_is_float32_training(
    name: str, changes: dict[str, str], tmp_path: Path
) -> None:
    curves = {}
    for precision in POLICIES:
        # Blocks of other batches than a loop's own are not compiled, which saves seconds here.
        model, loop = make_loop(name, {**changes, "batch_size": "33"}, precision)
        curves[precision] = [
            np.sqrt(np.divide(*loop.train_block(make_block(name)))) for _ in range(12)
        ]
    assert curves["mixed"][-1] < curves["float32"][0] - 0.1  # it learns
    np.testing.assert_allclose(curves["mixed"], curves["float32"], atol=0.05)
    assert curves["mixed"] != curves["float32"]  # bfloat16 has been used
    # `model` is the mixed one.
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert model.output.dtype == "float32"
    computed = {layer.compute_dtype for layer in model.layers if layer.name.startswith("dense")}
    if name != "autorec":
        assert computed == {"bfloat16", "float32"}  # the last one makes the score
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    inputs = [tf.range(5), tf.ones((5, N_ITEMS)) if name == "autorec" else tf.range(5)]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_dropout_keeps_the_type_and_scale_of_its_input() -> None:
    from bigrec.models.layers import Dropout

    layer = Dropout(0.25, dtype="mixed_bfloat16")
    dropped = layer(tf.ones((400, 100)), training=True)
    assert dropped.dtype == tf.bfloat16
    values = np.unique(tf.cast(dropped, tf.float32))
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=2**-8)
    assert float(tf.reduce_mean(tf.cast(dropped > 0, tf.float32))) == pytest.approx(0.75, abs=0.01)


def graph_ops(function: Any, *arguments: Any) -> set[str]:
    graph = function.get_concrete_function(*arguments).graph.as_graph_def()
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("precision", POLICIES)
def test_xla_knows_every_operation_of_the_compiled_loop_on_gpus(precision: str) -> None:
    _, loop = make_loop(*DENSE[0], precision)
    ops = graph_ops(loop._train_block, tf.zeros((64, 32), tf.int64), tf.constant(64))
    assert {"MatMul", "ResourceScatterAdd", "While"} <= ops

    def has_kernel(op: str) -> bool:
        kernels = get_registered_kernels_for_op(op).kernel
        return any(kernel.device_type == "XLA_GPU_JIT" for kernel in kernels)

    assert not has_kernel("NoSuchOp")
    assert {op for op in ops if not has_kernel(op)} <= {"Placeholder"}  # the arguments
