"""All runs of one split side by side, with the baselines of the same test subset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError
from bigrec.evaluate.baselines import Baseline, measure_baselines
from bigrec.measures import Measure, find_measure
from bigrec.runs import RunDirectory

_SHOWN_DIGITS: Final = 4


@dataclass(frozen=True)
class ComparedRun:
    """One row of the comparison."""

    run: str
    model: str
    split: str
    test: Mapping[str, float]
    """Measures in the test subset, by name."""
    n_test: int
    seconds: float
    """Wall time of the training, tests included."""


@dataclass(frozen=True)
class Comparison:
    """Runs of one split, best first."""

    protocol: str
    """The split in one line: without it the numbers mean nothing."""
    primary: str
    """The measure by which runs are in order."""
    runs: tuple[ComparedRun, ...]
    baselines: tuple[Baseline, ...]
    """None for runs that rank: popularity is a model."""


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
    groups = group_by_measure(runs)
    if len(groups) > 1:
        names = ", ".join(sorted(measure.title for measure in groups))
        raise RunError(
            f"these runs are judged by different measures ({names})",
            hint="compare those that learned to do the same",
        )
    (measure,) = groups
    rows = [_describe(run) for run in runs]
    # The baselines tell ratings. That of lists is a model itself: popularity.
    baselines = list[Baseline]()
    if measure.is_error:
        # The bias model knows no days; nor does it learn beside days where there is a choice.
        biases = min(runs, key=lambda run: run.needs_days).biases()
        baselines = measure_baselines(data.test, data.spec, biases)

    def place(row: ComparedRun) -> tuple[float, str]:
        # What looks alike in the table is in the same order on every machine.
        return measure.order(round(row.test[measure.name], _SHOWN_DIGITS)), row.run

    rows.sort(key=place)
    return Comparison(data.protocol, measure.name, tuple(rows), tuple(baselines))


def group_by_measure(runs: Sequence[RunDirectory]) -> dict[Measure, list[RunDirectory]]:
    """The runs that can be compared with each other, by their primary measure: errors first.

    Args:
        runs: at least one.
    """
    groups: dict[Measure, list[RunDirectory]] = {}
    for run in sorted(runs, key=lambda run: not run.metrics.measure.is_error):
        groups.setdefault(run.metrics.measure, []).append(run)
    return groups


def shared_measures(comparison: Comparison) -> list[Measure]:
    """The measures that all runs and baselines have, the primary one first."""
    tests = [row.test for row in comparison.runs] + [row.test for row in comparison.baselines]
    names = [name for name in tests[0] if all(name in test for test in tests)]
    return [find_measure(name) for name in sorted(names, key=lambda n: n != comparison.primary)]


def _describe(run: RunDirectory) -> ComparedRun:
    config, metrics = run.config, run.metrics
    if not all(map(math.isfinite, metrics.test.values())):
        raise RunError(f"run {run.name!r} has measures that are no numbers: {metrics.test}")
    return ComparedRun(
        run.name, config.model, config.split.name, metrics.test, metrics.n_test, metrics.seconds
    )


def the_split_of(runs: Sequence[RunDirectory]) -> str:
    """The name of the one split that all these runs were trained on.

    Raises:
        RunError: there are none, or they were trained on several splits.
    """
    splits = sorted({run.config.split.name for run in runs})
    if not splits:
        raise RunError("there are no runs", hint="train one with: bigrec train MODEL --split NAME")
    if len(splits) > 1:
        raise RunError(
            f"these runs belong to several splits ({', '.join(splits)}), whose errors "
            "cannot be compared",
            hint="name the runs of one split, or use --split",
        )
    return splits[0]
