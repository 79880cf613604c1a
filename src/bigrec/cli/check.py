"""`bigrec check`: prove that the store is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption
from bigrec.errors import BigrecError, RunError, SettingsError, SplitError, StoreError
from bigrec.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from bigrec.query.checks import CheckResult

_SHOWN_ROWS = 10


def check(
    folder: Annotated[
        Path | None, typer.Argument(help="With --runs: the folder of runs, if it is another.")
    ] = None,
    only_runs: Annotated[
        bool, typer.Option("--runs", help="Check the files of all runs instead of the store.")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Count the digest of all rows again, as the ingest did."),
    ] = False,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the store and its splits, or all runs; exit with 3 or 6 if a check fails.

    Every file is read again and compared with what was written; then queries look for rows that
    contradict each other.
    """
    if folder is not None and not only_runs:
        raise SettingsError(
            f"did not expect {str(folder)!r}", hint=f"a store is given with --store {folder}"
        )
    settings = resolve_settings(store=store, runs=folder, memory=memory, threads=threads)
    if only_runs:
        _report(_check_runs(settings), RunError, "train a damaged run again", as_json=as_json)
        return
    hint = "a split can be removed and made again; a store, ingested with --overwrite"
    _report(_check_store(settings, deep=deep), StoreError, hint, as_json=as_json)


def _check_runs(settings: Settings) -> list[CheckResult]:
    from bigrec.query.checks import check_files
    from bigrec.store.layout import run_folders
    from bigrec.store.seal import Kind

    if not settings.runs.is_dir():
        raise RunError(f"there is no folder {settings.runs}", hint="name another: check --runs DIR")
    with console.progress_bars() as progress:
        folders = run_folders(settings.runs)
        progress.start("checking runs", len(folders), "runs")
        results = []
        for folder in folders:
            results.append(check_files(folder, Kind.RUN, folder.name))
            progress.advance(1)
    return results


def _check_store(settings: Settings, *, deep: bool) -> list[CheckResult]:
    from bigrec.query.checks import check_files, check_rows, check_store, unreadable_split
    from bigrec.query.session import open_session
    from bigrec.splits.views import split_view_queries
    from bigrec.store.layout import StoreLayout, split_names
    from bigrec.store.manifest import read_manifest
    from bigrec.store.seal import Kind, mark_kind

    layout = StoreLayout(settings.store)
    if mark_kind(layout.root) != Kind.STORE.label:
        read_manifest(layout)  # says what is there instead
    results = [check_files(layout.root, Kind.STORE, "")]
    if not results[0].passed:  # rows of damaged files prove nothing
        return results
    with console.progress_bars() as progress:
        with open_session(settings.store, budget=settings.budget) as session:
            results += check_store(session, progress=progress)
        if deep:
            from bigrec.ingest.deep_check import find_other_rows

            results.append(
                check_rows(
                    lambda: find_other_rows(
                        layout, read_manifest(layout), budget=settings.budget, progress=progress
                    )
                )
            )
        for split in split_names(layout):
            folder = layout.split(split)
            results.append(check_files(folder, Kind.SPLIT, split))
            if results[-1].passed:
                try:
                    views = split_view_queries(layout, split)
                except SplitError as error:
                    results.append(unreadable_split(split, error))
                    continue
                with open_session(settings.store, budget=settings.budget, views=views) as session:
                    results += check_store(session, split=split, progress=progress)
            for kind in (Kind.SHARDS, Kind.DAYS):
                if (folder / kind.label).is_dir():
                    results.append(check_files(folder / kind.label, kind, split))
    return results


def _report(
    results: list[CheckResult], error: type[BigrecError], hint: str, *, as_json: bool
) -> None:
    """Print what was found.

    Raises:
        BigrecError: of the given class; a check failed.
    """
    from bigrec.query.output import format_table

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
        raise error(
            f"{len(failed)} of {len(results)} checks failed: "
            f"{', '.join(result.name for result in failed)}",
            hint=hint,
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)
