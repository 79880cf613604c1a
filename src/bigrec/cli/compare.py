"""`bigrec compare`: all runs of a split in one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunsOption,
    StoreOption,
    ThreadsOption,
    read_settings,
)
from bigrec.interactions import STARS
from bigrec.measures import Measure, find_measure

if TYPE_CHECKING:
    from bigrec.evaluate.compare import Comparison


def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs; all of a split if none.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Only runs of this split.")] = None,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the runs of a split with each other and with the baselines.

    Runs that tell ratings and runs that rank are in tables of their own, with --json in a list of
    two objects.

    A run that cannot be read is an error where it is named. Among all runs it is left out, with a
    word on stderr and exit code 0.
    """
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    from bigrec.evaluate.compare import group_by_measure, sort_out, the_split_of
    from bigrec.run_groups import compare_trained
    from bigrec.runs import list_runs, open_run

    if names:
        chosen = [open_run(settings.runs, name) for name in names]
    else:
        chosen, errors = sort_out(list_runs(settings.runs))
        if errors and not chosen:
            raise errors[0]
        for error in errors:
            console.print_warning(f"Left out: {error.message}")
    if split is not None:
        chosen = [run for run in chosen if run.config.split.name == split]
    the_split_of(chosen)
    comparisons = [
        compare_trained(
            settings.store, group, budget=settings.budget, show_progress=console.progress_bars
        )
        for group in group_by_measure(chosen).values()
    ]
    if as_json:
        found = [dataclasses.asdict(comparison) for comparison in comparisons]
        console.print_json(found[0] if len(found) == 1 else found)
        return
    for comparison in comparisons:
        _print(comparison, chosen[0].config.spec.unit)
    with_days = [run.name for run in chosen if run.needs_days]
    if with_days:
        console.print_note(f"Scores know the day of each rating: {', '.join(with_days)}")


def _print(comparison: Comparison, unit: str) -> None:
    from bigrec.evaluate.baselines import Baseline
    from bigrec.evaluate.compare import ComparedRun, shared_measures

    runs_and_baselines: list[ComparedRun | Baseline] = [*comparison.runs, *comparison.baselines]
    measures = shared_measures(comparison)
    best_cells = [
        cell
        for column, measure in enumerate(measures, start=2)
        for cell in _best(column, measure, [row.test[measure.name] for row in runs_and_baselines])
    ]
    seconds = [row.seconds for row in comparison.runs]
    best_cells += [(row, 3 + len(measures)) for row, n in enumerate(seconds) if n == min(seconds)]
    rows: list[tuple[object, ...]] = [
        (row.run, row.model, *(row.test[one.name] for one in measures), row.n_test, row.seconds)
        for row in comparison.runs
    ]
    rows += [
        (f"({one.name})", "baseline", *(one.test[measure.name] for measure in measures), None, None)
        for one in comparison.baselines
    ]
    is_error = find_measure(comparison.primary).is_error
    errors_in = f"; errors in {unit}" if is_error and unit != STARS else ""
    titles = [f"test {measure.title}" for measure in measures]
    console.print_table(
        ("run", "model", *titles, "test ratings", "seconds"),
        rows,
        title=f"{comparison.runs[0].split}: {comparison.protocol}{errors_in}",
        formats={"seconds": ",.1f"},
        highlight_cells=best_cells,
    )


def _best(column: int, measure: Measure, values: Sequence[float]) -> list[tuple[int, int]]:
    """The cells of a column, given from its first row on, that hold its best value."""
    best = measure.best(values)
    return [(row, column) for row, value in enumerate(values) if value == best]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)
