"""Training on GPUs; skipped where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bigrec import Split
from bigrec import open as open_store
from bigrec.models.options import override
from bigrec.models.registry import MODELS
from bigrec.runs import open_run
from bigrec.train.device_options import DeviceOptions
from bigrec.train.devices import list_gpus
from bigrec.train.train import train_model

pytestmark = pytest.mark.gpu

GPU = "gpu"
TRAININGS = [
    ("matrix-factorization", "tuned", {"epochs": "3"}),
    ("dnn", "notebook", {"optimizer": "adaptive", "epochs": "2"}),
    ("residual", "notebook", {"epochs": "2"}),
    ("autorec", "notebook", {"epochs": "2"}),
    ("autorec", "tuned", {"epochs": "3"}),
]


@pytest.fixture(scope="module")
def split(store_small: Path) -> Split:
    return open_store(store_small).split("gpu", min_item_ratings=20)


def train(split: Split, name: str, preset: str, changes: Any, device: DeviceOptions) -> float:
    runs = split.store.catalog.layout.root / "runs"
    options = override(MODELS[name].presets[preset], changes)
    summary = train_model(
        split.training_data, name, options, preset=preset, runs=runs, run="r", device=device,
        overwrite=True,
    )  # fmt: skip
    used = open_run(runs, "r").config.device
    assert used is not None
    assert used.used[0] == f"/{device.kind.upper()}:0"
    return summary.test["rmse"]


@pytest.mark.parametrize(("name", "preset", "changes"), TRAININGS)
def test_a_gpu_trains_as_a_cpu_does(
    name: str, preset: str, changes: dict[str, str], split: Split
) -> None:
    expected = train(split, name, preset, changes, DeviceOptions("cpu"))
    found = train(split, name, preset, changes, DeviceOptions(GPU, cache="off"))
    assert found == pytest.approx(expected, abs=0.01)


def test_mixed_precision_and_the_cache_change_little(split: Split) -> None:
    plain = train(split, *TRAININGS[1], DeviceOptions(GPU, cache="off"))
    changed = train(split, *TRAININGS[1], DeviceOptions(GPU, 1, "mixed", "device"))
    assert changed == pytest.approx(plain, abs=0.03)


@pytest.mark.parametrize(("name", "preset", "changes"), TRAININGS[:4])
def test_several_gpus_train_as_one_does(
    name: str, preset: str, changes: dict[str, str], split: Split
) -> None:
    if len(list_gpus()) < 2:
        pytest.skip("TensorFlow sees one GPU only")
    expected = train(split, name, preset, changes, DeviceOptions(GPU, cache="off"))
    found = train(split, name, preset, changes, DeviceOptions(GPU, 2, cache="off"))
    assert found == pytest.approx(expected, abs=0.01)
