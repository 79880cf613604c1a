"""A network of somebody else's is trained by steps, saved and loaded as bigrec's own are."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from bigrec.models.baseline.bias import Biases
from bigrec.models.gradient_model import GradientModel, StepPlan
from bigrec.models.layers import RowEmbedding
from bigrec.models.options import GradientOptions
from bigrec.rows import ITEM_INDEX, USER_INDEX, DataSpec
from bigrec.testing.model_contract import ModelContract

PRESETS = {
    "tuned": GradientOptions(epochs=6, optimizer="adaptive", learning_rate=0.1, batch_size=256)
}


class TwoBiases(GradientModel):
    """mean + b_u + b_i, by steps."""

    name = "two-biases"
    title = "Two biases"
    options_class = GradientOptions
    presets = PRESETS

    def plan(self, options: GradientOptions) -> StepPlan:
        return StepPlan("pairs")

    def build(
        self, spec: DataSpec, options: GradientOptions, biases: Biases, policy: str = "float32"
    ) -> keras.Model:
        inputs, terms = [], []
        for name, size in ((USER_INDEX, spec.n_users), (ITEM_INDEX, spec.n_items)):
            index = keras.Input((), dtype="int32", name=name)
            inputs.append(index)
            terms.append(RowEmbedding(size, 1, embeddings_initializer="zeros")(index))
        deviation: Any = keras.layers.Add()(terms)
        scores = keras.layers.Rescaling(1.0, offset=spec.mean_rating)(deviation)
        return keras.Model(inputs, scores)


class TestTwoBiases(ModelContract):
    model = TwoBiases()
    expected_rmse = (0.900, 0.912)

    def test_it_stops_early_too(self, data: Any, tmp_path: Any) -> None:
        from bigrec.train.train import train_model

        options = dataclasses.replace(PRESETS["tuned"], epochs=50, patience=1)
        summary = train_model(
            data, "two-biases", options, preset="tuned", runs=tmp_path, run="early"
        )
        assert 1 <= summary.kept_epoch == len(summary.epochs) - 1 < 49
