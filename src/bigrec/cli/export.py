"""`bigrec export`: a run for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.opening import open_trained
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunArgument,
    RunsOption,
    StoreOption,
    ThreadsOption,
    read_settings,
    require_extra,
)


def export(
    run: RunArgument,
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="saved-model: from raw ids (two vectors of int64 or int32, or of strings where "
            "ids are texts) to scores, runs without bigrec. keras: the bare model.",
        ),
    ] = "saved-model",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a folder that exists.")
    ] = False,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trained model for use elsewhere."""
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    require_extra("train", "tensorflow")
    from bigrec.resources import format_bytes

    opened = open_trained(settings, run)
    summary = opened.export(output, kind=format_, overwrite=overwrite)
    if as_json:
        console.print_json(summary)
        return
    console.print_fields(
        {
            "format": summary.format,
            "size": format_bytes(summary.n_bytes),
            "output": summary.output,
        }
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)
