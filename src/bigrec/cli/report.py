"""`bigrec report`: one HTML page of a store and its runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunsOption,
    StoreOption,
    ThreadsOption,
    check_result,
    load_tensorflow,
    read_settings,
    require_extra,
)

if TYPE_CHECKING:
    pass


def report(
    output: Annotated[Path, typer.Option("--output", help="The page to write.")],
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="A folder that gets each figure as SVG and PNG too."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="The split to report on. Default: the latest run's."),
    ] = None,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page about the data, the split and the models.

    A run that cannot be read is left out, with a word on stderr.
    """
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    require_extra("report", "altair")
    require_extra("report", "vl_convert")
    from bigrec.evaluate.compare import sort_out
    from bigrec.report.page import check_outputs, write_report
    from bigrec.resources import format_bytes
    from bigrec.runs import list_runs
    from bigrec.store.catalog import open_catalog

    check_outputs(output, figures)
    check_result(output, settings.store)
    if any(run.needs_keras for run in sort_out(list_runs(settings.runs))[0]):
        load_tensorflow()
    with console.progress_bars() as progress:
        summary = write_report(
            open_catalog(settings.store),
            output,
            runs_folder=settings.runs,
            split=split,
            budget=settings.budget,
            progress=progress,
            figures=figures,
        )
    for reason in summary.left_out:
        console.print_warning(f"Left out: {reason}")
    if as_json:
        console.print_json(summary)
        return
    console.print_line(
        f"{summary.output}: {summary.n_figures} figures, {format_bytes(summary.n_bytes)}, "
        f"{summary.seconds:.1f} s"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
