"""All runs of one split side by side, with the baselines of the same test side."""

from __future__ import annotations

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


def compare_runs(runs: Sequence[RunDirectory], data: TrainingData) -> Comparison:
    """Compare runs that were trained on one split.

    Args:
        runs: at least one run.
        data: the split.

    Raises:
        RunError: a run was trained on another split or another state of it.
    """
    for run in runs:
        run.check_split(data)
    rows = [
        ComparedRun(
            run.name, run.config["model"], data.split, run.metrics["test_rmse"],
            run.metrics["test_mae"], run.metrics["n_test"], run.metrics["seconds"],
        )
        for run in runs
    ]  # fmt: skip
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
