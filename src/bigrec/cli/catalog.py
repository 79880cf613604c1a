"""`bigrec catalog`: a DuckDB file of views for other clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, StoreOption, check_result, read_settings


def catalog(
    output: Annotated[Path, typer.Option("--output", help="The file, such as ratings.duckdb.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a small file of views that the DuckDB CLI, DBeaver, R and Python open."""
    settings = read_settings(store=store)
    from bigrec.query.catalog_file import write_catalog

    check_result(output, settings.store)
    views = write_catalog(settings.store, output, overwrite=overwrite)
    n_bytes = output.stat().st_size
    if as_json:
        console.print_json({"output": output, "views": views, "output_bytes": n_bytes})
    else:
        console.print_fields({"file": output, "views": ", ".join(views), "bytes": n_bytes})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(catalog)
