"""`bigrec check`: prove that the store is whole."""

from __future__ import annotations

import time

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption
from bigrec.errors import SplitError, StoreError
from bigrec.settings import resolve_settings

_SHOWN_ROWS = 10


def check(
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the store and its splits; exit with 3 and the offending rows if a check fails."""
    from bigrec.query.checks import check_store, materialized_form, unreadable_split
    from bigrec.query.output import format_table
    from bigrec.query.session import open_session
    from bigrec.splits.shards import damaged_files
    from bigrec.splits.views import list_splits, split_view_queries
    from bigrec.store.layout import StoreLayout

    settings = resolve_settings(store=store, memory=memory, threads=threads)
    layout = StoreLayout(settings.store)
    results = []
    with console.progress_bars() as progress:
        for split in ("", *list_splits(layout)):
            try:
                views = split_view_queries(layout, split) if split else {}
            except SplitError as error:
                results.append(unreadable_split(split, error))
                continue
            with open_session(settings.store, budget=settings.budget, views=views) as session:
                results += check_store(session, split=split, progress=progress)
            shards = layout.split(split) / "shards"
            if split and shards.is_dir():
                started = time.perf_counter()
                damaged = damaged_files(shards)
                seconds = time.perf_counter() - started
                results.append(materialized_form(split, damaged, seconds))
    failed = [result for result in results if not result.passed]
    if as_json:
        checks = [
            {
                "name": result.name,
                "title": result.title,
                "passed": result.passed,
                "seconds": round(result.seconds, 3),
                "n_rows": len(result.bad_rows),
                "more_rows": result.more_rows,
                "rows": [
                    dict(zip(result.columns, row, strict=True))
                    for row in result.bad_rows[:_SHOWN_ROWS]
                ],
            }
            for result in results
        ]
        console.print_json({"passed": not failed, "checks": checks})
    else:
        console.print_table(
            ("check", "what should be so", "result", "seconds"),
            [(r.name, r.title, "ok" if r.passed else "FAILED", r.seconds) for r in results],
            formats={"seconds": ",.2f"},
        )
        for result in failed:
            shown = result.bad_rows[:_SHOWN_ROWS]
            found = f"{len(result.bad_rows):,}{' or more' if result.more_rows else ''}"
            console.print_line(f"\n{result.name}: {found} rows, {len(shown)} shown")
            console.print_line(format_table(result.columns, shown))
    if failed:
        raise StoreError(
            f"{len(failed)} of {len(results)} checks failed: "
            f"{', '.join(result.name for result in failed)}",
            hint="a split can be removed and made again; a store, ingested with --overwrite",
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)
