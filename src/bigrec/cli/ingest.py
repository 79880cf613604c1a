"""`bigrec ingest`: raw files to a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings

if TYPE_CHECKING:
    from bigrec.ingest.options import IngestOptions


def ingest(
    raw: Annotated[Path, typer.Argument(help="A file, a folder of files, or a zip archive.")],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="What the files are: auto, netflix, movielens, table, or a published set "
            "such as amazon-2018; a wrong name lists all.",
        ),
    ] = "auto",
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", help="user=…,item=…,rating=…,time=…: names, positions from 1, or none."
        ),
    ] = None,
    separator: Annotated[
        str | None, typer.Option("--separator", help="Between fields, such as ';' or tab.")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="utf-8, latin-1 or cp1252.")
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option("--time-unit", help="seconds, milliseconds, microseconds, days or iso."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="What to keep of times: seconds or days.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option("--scale", help="MIN:MAX, where the ratings do not show it.")
    ] = None,
    zero: Annotated[
        str | None,
        typer.Option(
            "--zero", help="What a 0 is: keep, or no rating: drop the row, or implicit for all."
        ),
    ] = None,
    repeats: Annotated[
        str,
        typer.Option(
            "--repeats", help="A user's item again: error, last, first, mean, max, sum or count."
        ),
    ] = "error",
    items: Annotated[
        Path | None, typer.Option("--items", help="A file that says what items are, if any.")
    ] = None,
    item_columns: Annotated[
        str | None,
        typer.Option("--item-columns", help="Its columns: key=…,title=…,year=…; all are kept."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the columns are taken for; write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store, its splits included.")
    ] = False,
    by_user: Annotated[
        bool,
        typer.Option(
            "--by-user/--no-by-user", help="Whether to keep them in order of users as well."
        ),
    ] = True,
    on_error: Annotated[
        str,
        typer.Option(
            "--on-error",
            help="What a bad line does: stop (nothing is written) or skip it.",
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
    """Turn files of ratings into a checked Parquet store, streaming."""
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.ingest.options import IngestOptions
    from bigrec.interactions import EXPLICIT
    from bigrec.resources import format_bytes
    from bigrec.sources.table.said import read_options, read_settings_of_table

    settings = read_settings(store=store, memory=memory, threads=threads)
    options = IngestOptions(
        source=source,
        table=read_options(
            columns=columns, separator=separator, header=header, encoding=encoding,
            time_unit=time_unit, zero=zero,
        ),
        kept=read_settings_of_table(
            scale=scale, time=time, items=items, item_columns=item_columns
        ),
        overwrite=overwrite,
        by_user=by_user,
        repeats=repeats,
        on_error=on_error,
        rejects=rejects,
    )  # fmt: skip
    if dry_run:
        show_plan(raw, options, says_all=True)
        return
    if not as_json:
        show_plan(raw, options)
    with console.progress_bars() as progress:
        summary = ingest_ratings(
            raw, settings.store, options=options, budget=settings.budget, progress=progress
        )
    if as_json:
        console.print_json(summary)
        return
    if summary.unchanged:
        console.print_note(f"{settings.store} holds these very files already; nothing to do.")
    scale = f"{summary.min_rating:g} to {summary.max_rating:g}"
    fields = {
        "source": summary.form,
        "this is": summary.coverage or None,
        "ratings": summary.n_ratings,
        "users": summary.n_users,
        "items": summary.n_items,
        "scale": scale if summary.feedback == EXPLICIT else None,
        "feedback": None if summary.feedback == EXPLICIT else f"implicit, counts of {scale}",
        "times": {"second": "to the second", "day": "days", "none": "none"}[summary.time_unit],
        "probe pairs": summary.n_probe,
        "qualifying pairs": summary.n_qualifying,
        "repeats merged": summary.n_merged or None,
        "lines left out": summary.n_rejected,
        "seconds": f"{summary.seconds:,.2f}",
        "rows a second": round(summary.rows_per_second),
        "peak memory": format_bytes(summary.peak_rss_bytes),
        "store": format_bytes(summary.store_bytes),
    }
    console.print_fields({name: value for name, value in fields.items() if value is not None})


def show_plan(raw: Path, options: IngestOptions, *, says_all: bool = False) -> None:
    """Print what a table is taken for.

    Args:
        raw: the files.
        options: of the ingest.
        says_all: whether to name the source where it is no table.
    """
    from bigrec.sources.registry import open_source
    from bigrec.sources.table.base import TableSource
    from bigrec.sources.table.describe import describe_plan

    source = open_source(raw, options.source, options.table, options.kept)
    if not isinstance(source, TableSource):
        if says_all:
            console.print_fields({"source": source.form})
        return
    described = describe_plan(source.plan)
    console.print_fields(dict(described.fields))
    console.print_table(described.headings, described.rows)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ingest)
