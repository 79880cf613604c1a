"""The command `bigrec`: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from bigrec.cli import console
from bigrec.compiled import tell_of_compiling
from bigrec.errors import (
    BigrecError,
    ResourceError,
    StoreError,
    full_disk,
    is_full_disk,
    of_the_system,
)

_COMMANDS = (
    "doctor",
    "synth",
    "download",
    "ingest",
    "info",
    "check",
    "sql",
    "shell",
    "catalog",
    "split",
    "train",
    "blend",
    "evaluate",
    "compare",
    "recommend",
    "similar",
    "predict",
    "export",
    "report",
    "demo",
)
_INTERRUPTED = 130
_OBJECTS_BEFORE_COLLECTION = 250_000
_COMMENT = re.compile(r"--(?![a-z-]+=)[^\n]*\s")  # the beginning of a query, no option


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: all commands, or only the one that the arguments begin with.

    Describing every command to typer takes longer than many a query.
    """
    app = typer.Typer(
        name="bigrec",
        help="Recommender data and models on one machine: raw ratings, SQL, splits, training.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(lambda: None)  # else typer would take a single command for the whole app
    names = arguments[:1] if arguments and arguments[0] in _COMMANDS else _COMMANDS
    for name in names:
        importlib.import_module(f"bigrec.cli.{name}").register(app)
    return app


def _say_compiling() -> None:
    console.print_note("compiling loops for this machine; it takes some seconds, the first time")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ARCHITECTURE: errors and exit codes).

    Args:
        argv: the arguments behind `bigrec`; those of the process if None.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["sql"]:
        arguments = [f" {text}" if _COMMENT.match(text) else text for text in arguments]
    if console.is_watched():
        tell_of_compiling(_say_compiling)
    try:
        code = make_app(arguments)(args=arguments, prog_name="bigrec", standalone_mode=False)
        console.flush()
    except BigrecError as error:
        console.print_error(error)
        return error.exit_code
    except TyperException as error:
        return console.print_usage_error(error)
    except MemoryError as error:
        return _print_system_error(
            ResourceError(
                f"there is not enough memory: {error}",
                hint="end other programs, or give a smaller --memory",
            )
        )
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except console.ReaderGoneError:
        sys.stdout = None
        return 0
    except OSError as error:
        return _print_system_error(of_the_system(error))
    except BaseException as error:
        if is_full_disk(error):  # as libraries say it
            return _print_system_error(full_disk(Path()))
        if not _is_of_a_reader(error):
            raise
        return _print_system_error(
            StoreError(f"a file cannot be read: {error}", hint="bigrec check says which")
        )
    if code == _INTERRUPTED:  # typer may have caught the interrupt itself
        console.print_note("interrupted: what was being written is left as it was before")
    return code if isinstance(code, int) else 0


def _is_of_a_reader(error: BaseException) -> bool:
    """Whether a library of data could not read a file; opening verifies only the smaller ones."""
    module = type(error).__module__.partition(".")[0]
    return module in ("polars", "pyarrow", "pyo3_runtime")


def _print_system_error(error: BigrecError) -> int:
    console.print_error(error)
    return error.exit_code


def run() -> None:
    """The console script.

    The libraries make some 200,000 objects that stay until the end. To look through them again and
    again for garbage takes a sixth of the start, so Python begins to look when there are more.

    The process ends without taking down the interpreter and its libraries, which has no effect but
    takes up to a quarter of a second; all files are closed by then.
    """
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    console.open_streams()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it has been told, or a reader went away
            if stream is not None:
                stream.flush()
    os._exit(code)
