"""Scorers of any model of bigrec's, made without a run."""

from __future__ import annotations

from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import FitContext, TrainSubset
from bigrec.models.registry import MODELS
from bigrec.models.scoring import Scorer
from bigrec.rows import DataSpec, Rows


def make_scorer(name: str, preset: str, rows: Rows, spec: DataSpec, biases: Biases) -> Scorer:
    """Of an untrained network, or of a model that is fitted at once."""
    model = MODELS[name]
    options = model.presets[preset].settled(spec)
    if model.steps is None:
        return model.fit(FitContext(rows, spec, biases, options))
    network = model.steps.build(spec, options, biases)
    return model.steps.scorer(network, TrainSubset(rows, spec, biases))
