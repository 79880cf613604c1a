"""All runs of one split side by side, with the baselines of the same test side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError
from bigrec.evaluate.baselines import Baseline, measure_baselines
from bigrec.runs import RunDirectory


@dataclass(frozen=True)
class ComparedRun:
    """One row of the comparison."""

    run: str
    model: str
    split: str
    test_rmse: float
    """Scores clipped to the scale, in stars."""
    test_mae: float
    """Likewise."""
    n_test: int
    seconds: float
    """Wall time of the training, tests included."""


@dataclass(frozen=True)
class Comparison:
    """Runs of one split, best first."""

    protocol: str
    """The split in one line: without it the numbers mean nothing."""
    runs: tuple[ComparedRun, ...]
    baselines: tuple[Baseline, ...]


def sort_out(runs: Sequence[RunDirectory]) -> tuple[list[RunDirectory], list[RunError]]:
    """The runs that can be read, and why the others cannot, each named in its error.

    One damaged run of a folder is no reason to say nothing of the others.
    """
    readable, errors = [], []
    for run in runs:
        try:
            _describe(run)
            run.biases()
        except RunError as error:
            errors.append(error)
        else:
            readable.append(run)
    return readable, errors


def compare_runs(runs: Sequence[RunDirectory], data: TrainingData) -> Comparison:
    """Compare runs that were trained on one split.

    Args:
        runs: at least one run.
        data: the split.

    Raises:
        RunError: a run was trained on another split or another state of it, or cannot be read.
    """
    for run in runs:
        run.check_split(data)
    rows = [_describe(run) for run in runs]
    return Comparison(
        data.protocol,
        tuple(sorted(rows, key=lambda row: row.test_rmse)),
        # The baseline knows no days; nor does it learn beside days where there is a choice.
        tuple(
            measure_baselines(
                data.test, data.spec, min(runs, key=lambda run: run.needs_days).biases()
            )
        ),
    )


def _describe(run: RunDirectory) -> ComparedRun:
    try:
        config, metrics = run.config, run.metrics
        errors = float(metrics["test_rmse"]), float(metrics["test_mae"])
        row = ComparedRun(
            run.name, str(config["model"]), str(config["split"]["name"]), *errors,
            int(metrics["n_test"]), float(metrics["seconds"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"run {run.name!r} cannot be read: its config.json or metrics.json lacks "
            f"what bigrec writes there ({error})",
            hint="train it again with --overwrite",
        ) from error
    if not all(map(math.isfinite, errors)):
        raise RunError(f"run {run.name!r} has test errors that are no numbers: {errors}")
    return row


def the_split_of(runs: Sequence[RunDirectory]) -> str:
    """The name of the one split that all these runs were trained on.

    Raises:
        RunError: there are none, or they were trained on several splits.
    """
    splits = sorted({run.config["split"]["name"] for run in runs})
    if not splits:
        raise RunError("there are no runs", hint="train one with: bigrec train MODEL --split NAME")
    if len(splits) > 1:
        raise RunError(
            f"these runs belong to several splits ({', '.join(splits)}), whose errors "
            "cannot be compared",
            hint="name the runs of one split, or use --split",
        )
    return str(splits[0])
