"""The compiled step loop does what a plain loop over batches does, the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bigrec.datasets.pairs import PairFeed
from bigrec.models.baseline.bias import Biases
from bigrec.models.deep.model import DnnOptions
from bigrec.models.factorization.model import MatrixFactorizationOptions
from bigrec.models.options import GradientOptions
from bigrec.rows import DataSpec
from bigrec.train.loop import PairLoop
from tests.support.gradient_models import gradient_model
from tests.support.packed_pairs import SHARDS, pack, unpack

N_USERS, N_ITEMS = 40, 9
SPEC = DataSpec(N_USERS, N_ITEMS, 3.5, 1.0, 5.0)

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> PairFeed:
    """70 whole batches of 8, so more than a block, and a rest of 5; rows repeat within batches."""
    rng = np.random.default_rng(0)
    n = 70 * 8 + 5
    bounds = (0, N_USERS), (0, N_ITEMS), (1, 6)
    user, item, rating = (rng.integers(low, high, n) for low, high in bounds)
    path: Path = tmp_path_factory.mktemp("feed") / "00000.npy"
    np.save(path, pack(user, item, rating))
    return PairFeed([path], batch_size=8, seed=0)


def make_biases() -> Biases:
    rng = np.random.default_rng(1)
    user, item = (rng.normal(0, 0.1, n).astype("f4") for n in (N_USERS, N_ITEMS))
    return Biases(SPEC.mean_rating, user, item, item, np.ones(N_USERS), np.ones(N_ITEMS))


def train_epoch(name: str, options: GradientOptions, feed: PairFeed) -> tuple[list[Array], float]:
    """Weights after one epoch, and the sum of squared errors on the way."""
    keras.utils.set_random_seed(3)
    model = gradient_model(name).build(SPEC, options, make_biases())
    loop = PairLoop(model, options, SHARDS)
    squares, n_rows = map(sum, zip(*map(loop.train_block, feed.blocks(1)), strict=True))
    assert n_rows == feed.n_rows
    assert squares > 0
    return model.get_weights(), float(squares)


def test_factorization_agrees_with_a_numpy_loop(
    feed: PairFeed, caplog: pytest.LogCaptureFixture
) -> None:
    options = MatrixFactorizationOptions(
        batch_size=8, optimizer="adaptive", learning_rate=0.1, embedding_size=3, table_l2=0.0,
        bias_l2=0.01, start_from_biases=True,
    )  # fmt: skip
    weights, squares = train_epoch("matrix-factorization", options, feed)
    assert "AutoGraph" not in caplog.text  # it warns of what it cannot convert
    keras.utils.set_random_seed(3)
    model = gradient_model("matrix-factorization").build(SPEC, options, make_biases())
    named = {variable.path: variable.numpy().astype("f8") for variable in model.variables}
    p, q = named["user_factors/embeddings"], named["item_factors/embeddings"]
    b, c = named["user_bias/embeddings"], named["item_bias/embeddings"]
    base_user, base_item = named["base/user"], named["base/item"]
    slots = {id(table): np.zeros((len(table), 1)) for table in (p, q, b, c)}
    expected = 0.0
    for block in feed.arrays(1):
        for users, items, ratings in map(unpack, block):
            error = (p[users] * q[items]).sum(1) + (b[users] + c[items])[:, 0] - ratings
            error += SPEC.mean_rating + (base_user[users] + base_item[items])[:, 0]
            expected += float(error @ error)
            e = 2 * error[:, None]
            gradients = [
                (p, users, e * q[items]),
                (q, items, e * p[users]),
                (b, users, e + 0.02 * b[users]),
                (c, items, e + 0.02 * c[items]),
            ]
            for table, rows, gradient in gradients:
                slot = slots[id(table)]
                np.add.at(slot, rows, (gradient**2).mean(axis=1, keepdims=True))
                np.add.at(table, rows, -0.1 * gradient / (np.sqrt(slot[rows]) + 0.1))
    trained = {
        variable.path: value for variable, value in zip(model.variables, weights, strict=True)
    }
    for path, table in (("user_factors", p), ("item_factors", q), ("user_bias", b)):
        np.testing.assert_allclose(trained[f"{path}/embeddings"], table, atol=2e-4)
    np.testing.assert_allclose(trained["base/user"], base_user)
    assert squares == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_weights(feed: PairFeed) -> None:
    options = DnnOptions(batch_size=8, optimizer="adaptive", first_units=16, second_units=8)
    one, squares = train_epoch("dnn", options, feed)
    two, again = train_epoch("dnn", options, feed)
    assert squares == again
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
