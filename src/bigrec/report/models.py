"""What the page says of trained models: comparison and curves of the runs of one split."""

from __future__ import annotations

from pathlib import Path

from bigrec.datasets.training_data import open_training_data
from bigrec.evaluate.compare import compare_runs
from bigrec.report.figures import Section
from bigrec.report.runs_section import comparison_figure, comparison_table, loss_figures
from bigrec.resources import Budget, Progress
from bigrec.runs import RunDirectory, list_runs
from bigrec.splits.materialize import materialize_split
from bigrec.splits.splits import open_split
from bigrec.store.catalog import Catalog


def describe_models(
    catalog: Catalog, runs_folder: Path, *, split: str | None, budget: Budget, progress: Progress
) -> list[Section]:
    """Sections about the runs of one split; none if it has no runs.

    Args:
        catalog: the store.
        runs_folder: the folder of runs.
        split: its name; that of the latest run if None.
        budget: for the split's shards, where they are missing.
        progress: told of finished work.
    """
    every = list_runs(runs_folder)
    name = split or _latest(every).config["split"]["name"]
    runs = [run for run in every if run.config["split"]["name"] == name]
    if not runs:
        return []
    saved = open_split(catalog, name)
    data = open_training_data(materialize_split(saved, budget=budget, progress=progress))
    comparison = compare_runs(runs, data)
    presets = {run.name: str(run.config["preset"]) for run in runs}
    return [
        Section(
            name="models",
            title="The models",
            text=f"{len(runs)} runs of the split {name!r}: {comparison.protocol}.",
            blocks=[
                comparison_table(comparison, presets),
                comparison_figure(comparison, presets),
                *loss_figures(runs),
            ],
        )
    ]


def _latest(runs: list[RunDirectory]) -> RunDirectory:
    return max(runs, key=lambda run: (run.folder / "metrics.json").stat().st_mtime_ns)
