"""What test_replicas runs in a process whose CPU is two devices.

Two devices must train as one does on the same batches, up to the order in which floats are added.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bigrec import Split
from bigrec import open as open_store
from bigrec.datasets.pairs import PairFeed
from bigrec.datasets.user_rows import RowFeed
from bigrec.errors import SettingsError
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.options import override
from bigrec.models.registry import MODELS
from bigrec.run_records import DeviceRecord
from bigrec.runs import open_run
from bigrec.train.device_options import DeviceOptions
from bigrec.train.devices import choose_devices
from bigrec.train.loop import PairLoop, RowLoop
from bigrec.train.priors import FactorPenalty
from bigrec.train.train import train_model
from tests.support.gradient_models import gradient_model

SMALL = {"first_units": "12", "second_units": "6"}
TRAININGS = [
    ("matrix-factorization", "tuned", {"embedding_size": "5"}),
    ("residual", "notebook", {**SMALL, "product": "true", "bias_l2": "0.1"}),
    ("autorec", "notebook", {**SMALL, "optimizer": "adaptive"}),
]
"""Between them: both optimizers, sparse and dense gradients, penalties, dropout, normalisation."""


@pytest.fixture(scope="module")
def split(store_small: Path) -> Split:
    return open_store(store_small).split("s", min_item_ratings=20)


def train(split: Split, name: str, options: Any, n_devices: int) -> tuple[list[Any], float]:
    """Weights after training twice on a block, and the squared errors of the second time."""
    data = split.training_data
    biases = fit_biases(data.train, data.spec)
    devices = choose_devices(DeviceOptions("cpu", n_devices))
    with devices.scope():
        keras.utils.set_random_seed(5)
        model = gradient_model(name).build(data.spec, options, biases)
        feed: Any
        loop: Any
        if name == "autorec":
            feed = RowFeed(data.train, batch_size=200, seed=0)
            loop = RowLoop(model, options, data.spec.n_items)
        else:
            penalty = FactorPenalty(data.train, biases, options) if options.row_l2 else None
            # Batches of another size than a loop's own are not compiled, which saves seconds here.
            feed = PairFeed(data.shards().paths, batch_size=500, seed=0)
            loop = PairLoop(model, options, data.shards(), penalty)
        block = next(iter(feed.blocks(1)))
        for _ in range(2):
            total, _ = loop.train_block(block)
            loop.between_epochs()
        for variable in loop.variables if n_devices == 2 else []:
            one, other = (copy.numpy() for copy in variable.values)
            np.testing.assert_array_equal(one, other)
        return model.get_weights(), total


@pytest.mark.parametrize(("name", "preset", "changes"), TRAININGS)
def test_two_devices_train_as_one(
    name: str, preset: str, changes: dict[str, str], split: Split
) -> None:
    options = override(MODELS[name].presets[preset], changes)
    one, squares = train(split, name, options, 1)
    two, squares_of_two = train(split, name, options, 2)
    assert squares_of_two == pytest.approx(squares, rel=1e-4)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, atol=2e-4)


def test_a_run_of_two_devices_is_like_any_other(split: Split, tmp_path: Path) -> None:
    data = split.training_data
    options = override(
        MODELS["dnn"].presets["tuned"],
        {**SMALL, "epochs": "2", "embedding_size": "4", "start_from_factors": "no"},
    )
    summary = train_model(
        data, "dnn", options, preset="tuned", runs=tmp_path, run="two",
        device=DeviceOptions("cpu", 0, "mixed", "device"),
    )  # fmt: skip
    run = open_run(tmp_path, "two")
    assert run.config.device == DeviceRecord("cpu", ("/CPU:0", "/CPU:1"), "mixed", "device")
    # Every rating has been trained on, or but one.
    n_rows = [round(epoch.rows_per_second * epoch.seconds) for epoch in summary.epochs]
    assert n_rows == [data.train.n_ratings // 2 * 2] * 2
    # Read on one device, the run scores as it did.
    assert run.recommender(data).errors_on(data.test).rmse == pytest.approx(summary.test["rmse"])


def test_what_cannot_be_shared_is_refused(split: Split, tmp_path: Path) -> None:
    common: Any = {"preset": "tuned", "runs": tmp_path, "run": "r"}
    for name, changes, words in (
        ("cosine-knn", {}, "cosine-knn is fitted at once: it shares no batches"),
        ("autorec", {}, "autorec with these settings trains on one device"),
        ("dnn", {"batch_size": "7"}, "a batch of 7 cannot be dealt out evenly to 2 devices"),
    ):
        options = override(MODELS[name].presets["tuned"], changes)
        with pytest.raises(SettingsError, match=words):
            train_model(
                split.training_data, name, options, device=DeviceOptions("cpu", 2), **common
            )
