"""`bigrec shell`: an interactive session on the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import MemoryOption, StoreOption, ThreadsOption
from bigrec.errors import BigrecError, ResourceError, SettingsError
from bigrec.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from bigrec.query.session import Session

_CLIENTS = ("auto", "harlequin", "duckdb", "plain")


def shell(
    client: Annotated[
        str,
        typer.Option(
            "--client",
            help="harlequin, duckdb (its command-line client) or plain (a prompt locked down like "
            "bigrec sql). auto takes the first that is installed.",
        ),
    ] = "auto",
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Open an interactive SQL session on the store's views."""
    if client not in _CLIENTS:
        raise SettingsError.unknown_name("client", client, _CLIENTS)
    settings = resolve_settings(store=store, memory=memory, threads=threads)
    if client == "auto":
        installed = [name for name in ("harlequin", "duckdb") if shutil.which(name)]
        # Full-screen clients need a terminal; a script that is piped in does not.
        client = installed[0] if installed and sys.stdin.isatty() else "plain"
    if client == "plain":
        _run_plain(settings)
    else:
        _run_program(client, settings)


def _run_program(client: str, settings: Settings) -> None:
    from bigrec.query.catalog_file import write_catalog

    program = shutil.which(client)
    if program is None:
        raise ResourceError(f"{client} is not installed", hint="install it, or use --client plain")
    with tempfile.TemporaryDirectory(prefix="bigrec-shell-") as folder:
        catalog = Path(folder) / "ratings.duckdb"
        write_catalog(settings.store, catalog)
        read_only = "--read-only" if client == "harlequin" else "-readonly"
        code = subprocess.run([program, read_only, str(catalog)], check=False).returncode  # noqa: S603
    if code:
        raise typer.Exit(code)


def _run_plain(settings: Settings) -> None:
    from bigrec.query.session import open_session

    interactive = sys.stdin.isatty()
    if interactive:
        import readline  # noqa: F401 (gives input() its history)

        console.print_note("One statement, ended by a semicolon. Leave with Ctrl-D or .quit")
    with open_session(settings.store, budget=settings.budget) as session:
        for statement in _read_statements(interactive=interactive):
            try:
                _answer(session, statement)
            except BigrecError as error:
                console.print_error(error)
            except KeyboardInterrupt:
                if not interactive:
                    raise
                console.print_note("interrupted")


def _read_statements(*, interactive: bool) -> Iterator[str]:
    """Yield texts that end with a semicolon, as they are typed; the last may lack it."""
    text = ""
    while True:
        try:
            prompt = ("bigrec> " if not text else "   ...> ") if interactive else ""
            line = input(prompt)
        except EOFError:
            break
        except KeyboardInterrupt:
            if not interactive:
                raise
            text = ""
            console.print_note("")
            continue
        if not text and line.strip() in (".quit", ".exit"):
            return
        text += line + os.linesep
        if line.rstrip().endswith(";"):
            yield text
            text = ""
    if text.strip():
        yield text


def _answer(session: Session, statement: str) -> None:
    from bigrec.query.output import TABLE_ROWS, format_result

    console.print_line(format_result(session.run(statement), TABLE_ROWS))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(shell)
