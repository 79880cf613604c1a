"""`bigrec ingest`: raw files to a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings


def ingest(
    raw: Annotated[Path, typer.Argument(help="The folder of raw files, or a zip archive.")],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="What the files are: auto, netflix, movielens, or a source that a package adds.",
        ),
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store, its splits included.")
    ] = False,
    by_user: Annotated[
        bool,
        typer.Option(
            "--by-user/--no-by-user", help="Whether to keep the ratings in order of users as well."
        ),
    ] = True,
    on_error: Annotated[
        str,
        typer.Option(
            "--on-error",
            help="What a bad line does: stop (nothing is written) or skip it. Where a user rates a "
            "item again, the first line counts, and the later ones are bad.",
        ),
    ] = "stop",
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", help="A csv file for the lines that --on-error skip left out."),
    ] = None,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn raw rating files into a checked Parquet store, streaming."""
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.ingest.options import IngestOptions
    from bigrec.resources import format_bytes

    settings = read_settings(store=store, memory=memory, threads=threads)
    options = IngestOptions(
        source=source, overwrite=overwrite, by_user=by_user, on_error=on_error, rejects=rejects
    )
    with console.progress_bars() as progress:
        summary = ingest_ratings(
            raw, settings.store, options=options, budget=settings.budget, progress=progress
        )
    if as_json:
        console.print_json(summary)
        return
    if summary.unchanged:
        console.print_note(f"{settings.store} holds these very files already; nothing to do.")
    console.print_fields(
        {
            "source": summary.form,
            "this is": summary.coverage or None,
            "ratings": summary.n_ratings,
            "users": summary.n_users,
            "items": summary.n_items,
            "probe pairs": summary.n_probe,
            "qualifying pairs": summary.n_qualifying,
            "lines left out": summary.n_rejected,
            "seconds": f"{summary.seconds:,.2f}",
            "rows a second": round(summary.rows_per_second),
            "peak memory": format_bytes(summary.peak_rss_bytes),
            "store": format_bytes(summary.store_bytes),
        }
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ingest)
