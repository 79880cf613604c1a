"""`bigrec ingest`: raw files to a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings

if TYPE_CHECKING:
    from bigrec.ingest.recognition import Recognition


_WRITTEN: Final = "How the files are written, where they do not show it"
_KEPT: Final = "What is kept"


def ingest(
    raw: Annotated[Path, typer.Argument(help="A file, a folder, or a zip archive.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is taken for what; write nothing.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="PAIRS", help="user=…,item=…,rating=…,time=…"),
    ] = None,
    items: Annotated[
        Path | None, typer.Option("--items", metavar="FILE", help="A table that describes items.")
    ] = None,
    item_columns: Annotated[
        str | None,
        typer.Option("--item-columns", metavar="PAIRS", help="Its key=…,title=…,year=…"),
    ] = None,
    store: StoreOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store, its splits included.")
    ] = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="NAME",
            rich_help_panel=_WRITTEN,
            show_default=False,
            help="auto, netflix, movielens, yelp …",
        ),
    ] = "auto",
    separator: Annotated[
        str | None,
        typer.Option(
            "--separator",
            metavar="TEXT",
            rich_help_panel=_WRITTEN,
            help="';', '::', tab, blanks …",
        ),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", rich_help_panel=_WRITTEN, help="The first line names columns."
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            rich_help_panel=_WRITTEN,
            help="utf-8, latin-1 or cp1252.",
        ),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(
            "--time-unit",
            metavar="UNIT",
            rich_help_panel=_WRITTEN,
            help="seconds, milliseconds … days, iso.",
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            metavar="MIN:MAX",
            rich_help_panel=_WRITTEN,
            help="The least and the best rating.",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="UNIT", rich_help_panel=_KEPT, help="Of times: seconds or days."
        ),
    ] = None,
    zero: Annotated[
        str | None,
        typer.Option(
            "--zero",
            metavar="WHAT",
            rich_help_panel=_KEPT,
            help="Of a 0: keep, drop, or implicit.",
        ),
    ] = None,
    repeats: Annotated[
        str,
        typer.Option(
            "--repeats",
            metavar="WHICH",
            rich_help_panel=_KEPT,
            show_default=False,
            help="error, last, mean, sum, count …",
        ),
    ] = "error",
    by_user: Annotated[
        bool,
        typer.Option(
            "--by-user/--no-by-user",
            rich_help_panel=_KEPT,
            show_default=False,
            help="The order by user as well, or not.",
        ),
    ] = True,
    on_error: Annotated[
        str,
        typer.Option(
            "--on-error",
            metavar="WHAT",
            rich_help_panel=_KEPT,
            show_default=False,
            help="At a bad line: stop, or skip it.",
        ),
    ] = "stop",
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects", metavar="FILE", rich_help_panel=_KEPT, help="Takes the skipped lines."
        ),
    ] = None,
) -> None:
    """Turn files of ratings into a checked Parquet store, streaming."""
    from bigrec.cli.store_words import TIMES, scale_words
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.ingest.recognition import recognise_ratings
    from bigrec.ingest.said import read_flags
    from bigrec.resources import format_bytes

    settings = read_settings(store=store, memory=memory, threads=threads)
    options = read_flags(
        source=source,
        columns=columns,
        separator=separator,
        header=header,
        encoding=encoding,
        time_unit=time_unit,
        scale=scale,
        zero=zero,
        time=time,
        items=items,
        item_columns=item_columns,
        repeats=repeats,
        by_user=by_user,
        on_error=on_error,
        rejects=rejects,
        overwrite=overwrite,
    )
    recognition = recognise_ratings(raw, options)
    if recognition.advice:
        console.print_note(recognition.advice)
    if dry_run and as_json:
        console.print_json(recognition)
    elif dry_run or not as_json:
        show_recognition(recognition, says_all=dry_run)
    if dry_run:
        return
    with console.progress_bars() as progress:
        summary = ingest_ratings(
            raw, settings.store, options=options, budget=settings.budget, progress=progress
        )
    if as_json:
        console.print_json(summary)
        return
    if summary.unchanged:
        console.print_note(f"{settings.store} holds these very files already; nothing to do.")
    fields = {
        "source": summary.form,
        "this is": summary.coverage or None,
        "ratings": summary.n_ratings,
        "users": summary.n_users,
        "items": summary.n_items,
        **scale_words(summary.feedback, summary.min_rating, summary.max_rating),
        "times": TIMES[summary.time_unit],
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


def show_recognition(recognition: Recognition, *, says_all: bool) -> None:
    """Print what tables are taken for.

    Args:
        recognition: of the raw files.
        says_all: whether to name the source where it is no table.
    """
    if recognition.ratings is None and says_all:
        console.print_fields({"source": recognition.form})
    for described in (recognition.ratings, recognition.items):
        if described is not None:
            if described is recognition.items:
                console.print_line("")
            console.print_fields(dict(described.fields))
            console.print_table(described.headings, described.rows)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ingest)
