"""What runs say of themselves, made by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from bigrec.rows import DataSpec
from bigrec.run_records import EpochSummary, RunConfig, RunMetrics, SplitRecord

SPEC = DataSpec(3, 2, 3.5, 1.0, 5.0)


def make_config(model: str = "dnn", **changes: Any) -> RunConfig:
    """The config of a run r on a split s."""
    config = RunConfig(
        run="r", model=model, objective="rating", preset="tuned", options={}, seed=4,
        split=SplitRecord("s", "aa", "a protocol", {}), spec=SPEC, environment={"bigrec": "1"},
    )  # fmt: skip
    return dataclasses.replace(config, **changes)


def make_metrics(rmse: float = 0.9, **changes: Any) -> RunMetrics:
    """What came of a run whose error in the test subset is given."""
    metrics = RunMetrics(
        primary="rmse", test={"rmse": rmse, "mae": 0.7}, validation=None, n_test=10, n_fallback=1,
        fallback="the bias model", seconds=9.5, train_seconds=9.0,
    )  # fmt: skip
    return dataclasses.replace(metrics, **changes)


def make_epoch(
    epoch: int, train_loss: float | None, validation: float | None, test: float, *times: float
) -> EpochSummary:
    """An epoch with errors by their RMSE; times are seconds, rows a second, and input wait."""
    seconds, rate, wait = times or (2.0, 1.0, 0.0)
    validated = None if validation is None else {"rmse": validation}
    return EpochSummary(epoch, train_loss, validated, {"rmse": test}, seconds, rate, wait)
