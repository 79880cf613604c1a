"""`bigrec shell`: an interactive session on the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import MemoryOption, StoreOption, ThreadsOption, read_settings
from bigrec.errors import BigrecError, ResourceError, SettingsError
from bigrec.scratch import scratch_folder
from bigrec.settings import Settings

if TYPE_CHECKING:
    from bigrec.query.session import Session

_CLIENTS = ("auto", "harlequin", "duckdb", "plain")
_LEAVING = (".quit", ".exit")


def shell(
    client: Annotated[
        str,
        typer.Option(
            "--client",
            help="harlequin, duckdb (its command-line client) or plain (a prompt locked down like "
            "bigrec sql). auto takes the first that is installed.",
        ),
    ] = "auto",
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", help="Seconds that a query may take, at the plain prompt."),
    ] = None,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Open an interactive SQL session on the store's views.

    A script that is piped in is run to its end; the exit code is that of its last failure.
    """
    if client not in _CLIENTS:
        raise SettingsError.unknown_name("client", client, _CLIENTS)
    settings = read_settings(store=store, memory=memory, threads=threads)
    if client == "auto":
        installed = [name for name in ("harlequin", "duckdb") if shutil.which(name)]
        # Full-screen clients need a terminal; a script that is piped in does not.
        client = (
            installed[0] if installed and sys.stdin is not None and sys.stdin.isatty() else "plain"
        )
    if client == "plain":
        _run_plain(settings, timeout)
    else:
        _run_program(client, settings)


def _run_program(client: str, settings: Settings) -> None:
    from bigrec.query.catalog_file import write_catalog

    program = shutil.which(client)
    if program is None:
        raise ResourceError(f"{client} is not installed", hint="install it, or use --client plain")
    with scratch_folder(settings.budget.spill_dir) as folder:
        catalog = folder / "ratings.duckdb"
        write_catalog(settings.store, catalog)
        read_only = "--read-only" if client == "harlequin" else "-readonly"
        code = subprocess.run([program, read_only, str(catalog)], check=False).returncode  # noqa: S603
    if code:
        raise typer.Exit(code)


def _run_plain(settings: Settings, timeout: float | None) -> None:
    from bigrec.query.session import open_session

    interactive = _is_interactive()
    if interactive:
        import readline  # noqa: F401 (gives input() its history)

        console.print_note("Statements end with a semicolon. Leave with Ctrl-D or .quit")
    failure: BigrecError | None = None
    with open_session(settings.store, budget=settings.budget, timeout=timeout) as session:
        statements = _typed_statements() if interactive else _statements_of_script()
        for number, statement in enumerate(statements, start=1):
            try:
                _answer(session, statement)
            except BigrecError as error:
                if not interactive:
                    error.message = f"statement {number}: {error.message}"
                console.print_error(error)
                failure = error
            except KeyboardInterrupt:
                if not interactive:
                    raise
                console.print_note("interrupted")
    if failure is not None and not interactive:
        raise typer.Exit(failure.exit_code)  # of a script; it has been told


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _typed_statements() -> Iterator[str]:
    """Yield statements as they are typed; the last may lack its semicolon."""
    from bigrec.query.statements import split_statements

    rest = ""
    while True:
        try:
            line = input("   ...> " if rest else "bigrec> ")
        except EOFError:
            break
        except KeyboardInterrupt:
            rest = ""
            console.print_note("")
            continue
        except UnicodeDecodeError:
            console.print_note("that line is no UTF-8 and was left out")
            continue
        if not rest and line.strip() in _LEAVING:
            return
        statements, rest = split_statements(f"{rest}{line}\n")
        yield from statements
    if rest:
        yield rest


def _statements_of_script() -> Iterator[str]:
    """Yield the statements that are piped in, each as soon as it is complete."""
    from bigrec.query.statements import split_statements

    rest = ""
    for number, data in enumerate(() if sys.stdin is None else sys.stdin.buffer):
        line = data.decode("utf-8", "surrogateescape")  # a session refuses what is no UTF-8
        if number == 0:
            line = line.removeprefix("\ufeff")
        if not rest.strip() and line.strip() in _LEAVING:
            return
        rest += line
        if ";" in line:
            statements, rest = split_statements(rest)
            yield from statements
    statements, rest = split_statements(rest)
    yield from statements
    if rest:
        yield rest


def _answer(session: Session, statement: str) -> None:
    from bigrec.query.output import TABLE_ROWS, format_result

    console.print_line(format_result(session.run(statement), TABLE_ROWS))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(shell)
