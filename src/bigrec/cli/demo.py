"""`bigrec demo`: the whole road on synthetic data, each step as a user would type it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import MemoryOption, SeedOption, require_extra
from bigrec.errors import BigrecError, DataError
from bigrec.models.registry import MODELS

_FEWER_EPOCHS = {"autorec": ("--epochs", "4")}  # all 24 would take as long as the other steps
_SPLIT = "demo"


class _StepFailedError(BigrecError):
    """A step of the demo ended with another exit code than 0; it has said why."""

    def __init__(self, step: str, exit_code: int) -> None:
        super().__init__(f"the step 'bigrec {step}' ended with exit code {exit_code}")
        self.exit_code = exit_code


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder to make.")] = Path(
        "demo"
    ),
    ratings: Annotated[
        int, typer.Option("--ratings", min=1, help="Synthetic ratings.")
    ] = 1_000_000,
    seed: SeedOption = 0,
    memory: MemoryOption = None,
) -> None:
    """Make data, ingest, check, query, split, train every model, compare, recommend, report."""
    require_extra("train", "tensorflow")
    require_extra("report", "altair")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} is no empty folder", hint="name a folder that does not exist yet"
        )
    raw, store, runs = folder / "raw", folder / "store", folder / "runs"
    at_store = ["--store", str(store)]
    at_both = [*at_store, "--runs", str(runs)]
    budget = ["--memory", memory] if memory else []
    _step("synth", str(raw), "--ratings", str(ratings), "--seed", str(seed))
    _step("ingest", str(raw), *at_store, *budget)
    _step("check", *at_store)
    _step("sql", "--name", "most_loved_items", "--limit", "5", *at_store)
    _step("split", "create", _SPLIT, "--min-item-ratings", "20", "--min-user-ratings", "10",
          "--seed", str(seed), "--materialize", *at_store, *budget)  # fmt: skip
    for model in MODELS:
        _step("train", model, "--split", _SPLIT, "--preset", "tuned", "--seed", str(seed),
              "--run", model, *_FEWER_EPOCHS.get(model, ()), *at_both)  # fmt: skip
    _step("compare", *at_both)
    _step("recommend", "matrix-factorization", str(_some_user(store)), "--top", "5", *at_both)
    _step("predict", "matrix-factorization", "--qualifying", "--output",
          str(folder / "qualifying.csv"), *at_both)  # fmt: skip
    report = folder / "report.html"
    _step("report", "--output", str(report), *at_both)
    console.print_line("")
    _step("compare", *at_both)
    console.print_line(f"\nThe report: {report.absolute()}")


def _step(*arguments: str) -> None:
    """Print a command as a user would type it, and run it as the shell would.

    In a process of its own, as the peak memory that some steps report is that of their process.
    """
    console.print_line(f"\n$ bigrec {shlex.join(arguments)}")
    sys.stdout.flush()
    command = [sys.executable, "-m", "bigrec", *arguments]
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - this very program
    if code:
        raise _StepFailedError(arguments[0], code)


def _some_user(store: Path) -> int:
    """A user of the split with as many ratings as the median one."""
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    users = open_split(open_catalog(store), _SPLIT).users().sort("n_train", "user_id").collect()
    return int(users["user_id"][len(users) // 2])


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)
