"""Tuned presets learn from synthetic data: each beats the bias model, none the truth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.model_names import RATING_MODELS

from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.evaluate.baselines import measure_baselines
from bigrec.ingest.ingest import ingest_ratings
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.registry import MODELS
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.store.catalog import open_catalog
from bigrec.synthetic import write_synthetic
from bigrec.train.train import train_model


class Known(NamedTuple):
    """A split, what the bias model reaches on it, and what no model can pass."""

    data: TrainingData
    bias_rmse: float
    noise_rmse: float


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("accuracy")
    made = write_synthetic(folder / "raw", n_ratings=150_000)
    ingest_ratings(folder / "raw", folder / "store")
    split = create_split(
        open_catalog(folder / "store"), "s", SplitSpec(min_item_ratings=20, min_user_ratings=10)
    )
    data = open_training_data(materialize_split(split))
    baselines = measure_baselines(data.test, data.spec, fit_biases(data.train, data.spec))
    bias_rmse = next(b.test["rmse"] for b in baselines if b.name == "bias")
    return Known(data, bias_rmse, made.noise_rmse)


@pytest.mark.parametrize("name", RATING_MODELS)
def test_tuned_models_beat_the_bias_model(name: str, known: Known, tmp_path: Path) -> None:
    options = MODELS[name].presets["tuned"]
    summary = train_model(known.data, name, options, preset="tuned", runs=tmp_path, run="r")
    assert known.noise_rmse < summary.test["rmse"] < known.bias_rmse
