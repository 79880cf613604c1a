"""`bigrec check`: prove that the store is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings
from bigrec.errors import BigrecError, RunError, SettingsError, StoreError

if TYPE_CHECKING:
    from bigrec.query.checks import CheckResult


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
    settings = read_settings(store=store, runs=folder, memory=memory, threads=threads)
    from bigrec.inspection import inspect_runs, inspect_store

    if only_runs:
        with console.progress_bars() as progress:
            results = inspect_runs(settings.runs, progress=progress)
        _report(results, RunError, "train a damaged run again", as_json=as_json)
        return
    with console.progress_bars() as progress:
        results = inspect_store(
            settings.store, deep=deep, budget=settings.budget, progress=progress
        )
    hint = "a split can be removed and made again; a store, ingested with --overwrite"
    _report(results, StoreError, hint, as_json=as_json)


def _report(
    results: list[CheckResult], error: type[BigrecError], hint: str, *, as_json: bool
) -> None:
    """Print what was found.

    Raises:
        BigrecError: of the given class; a check failed.
    """
    from bigrec.inspection import SHOWN_ROWS, checks_to_json
    from bigrec.query.output import format_table

    failed = [result for result in results if not result.passed]
    if as_json:
        console.print_json(checks_to_json(results))
    else:
        console.print_table(
            ("check", "what should be so", "result", "seconds"),
            [(r.name, r.title, "ok" if r.passed else "FAILED", r.seconds) for r in results],
            formats={"seconds": ",.2f"},
        )
        for result in failed:
            shown = result.bad_rows[:SHOWN_ROWS]
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
