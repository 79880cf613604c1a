"""Every option and argument of every command, given what nobody should give.

The command line itself says what there is to try, so that what is added to it is tried as well.
Each call ends with an exit code of ours, in bounded time; what fails leaves all as it was, and what
succeeds leaves only what it was told to write.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import pytest
import typer

from bigrec.cli.app import main, make_app
from bigrec.errors import DataError
from bigrec.ingest import download
from bigrec.report import page, render
from bigrec.report.figures import Section
from bigrec.synthetic import write_synthetic

EXIT_CODES: Final = {0, 2, 3, 4, 5, 6}
SECONDS: Final = 20
"""What one call may take; most take some hundredths."""

NUMBERS: Final = ("-1", "0", "0.5", "1" + 20 * "0", "-1" + 20 * "0", "nan", "inf")
TEXTS: Final = ("", " ", "²", "٣", "😀", "\udcff", 5000 * "x", 5000 * "9", "a\nb")
PATHS: Final = ("note.txt", "none/x.csv", "folder", "note.txt/below", "store", "runs", "a[1]*.csv")
VALUES: Final = (*NUMBERS, *TEXTS, *PATHS)


class Call(NamedTuple):
    """What a command is called with where nothing is wrong."""

    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


CALLS: Final = {
    "doctor": Call(),
    "synth": Call(("made",), ("--ratings", "500")),
    "download": Call(("made",)),
    "ingest": Call(("folder",)),
    "info": Call(),
    "check": Call(),
    "sql": Call(("SELECT 1",)),
    "shell": Call((), ("--client", "plain")),
    "catalog": Call((), ("--output", "made.duckdb")),
    "split create": Call(("made",)),
    "split list": Call(),
    "split show": Call(("s",)),
    "train": Call(("cosine-knn",), ("--split", "s", "--run", "made")),
    "blend": Call(("knn",), ("--run", "made")),
    "evaluate": Call(("mf",)),
    "compare": Call(("mf",)),
    "recommend": Call(("mf", "USER")),
    "similar": Call(("mf", "ITEM")),
    "predict": Call(("mf",), ("--probe",)),
    "export": Call(("mf",), ("--output", "made", "--format", "keras")),
    "report": Call((), ("--output", "made.html")),
    "demo": Call(("made",)),
}
_EPOCHS: Final = Call(("matrix-factorization",), ("--split", "s", "--run", "made", "--epochs", "1"))
CALLS_OF: Final = {
    **{
        f"train {option}": _EPOCHS
        for option in ("--epochs", "--batch-size", "--precision", "--cache", "--devices")
    },
    "sql --file": Call(),
    "sql --name": Call(),
    "recommend --ratings": Call(("mf",)),
    "recommend --output": Call(("mf",), ("--all",)),
    "recommend --timeout": Call(("mf", "USER"), ("--where", "true")),
    "predict --pairs": Call(("mf",), ("--output", "made.csv")),
    "predict --output": Call(("mf",), ("--qualifying",)),
}
"""Of options that need another company."""


def parameters() -> Iterator[tuple[str, Any]]:
    """Every parameter by its words: `command --option`, `command argument`."""

    def below(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from below(inner, *words, name)
        if not hasattr(command, "commands"):
            for parameter in command.params:
                yield " ".join((*words, parameter.opts[0])), parameter

    yield from below(typer.main.get_command(make_app()))


PARAMETERS: Final = dict(parameters())


def command_lines(key: str) -> Iterator[list[str]]:
    """What tries one parameter."""
    command, _, name = key.rpartition(" ")
    arguments, options = CALLS_OF.get(key) or CALLS[command]
    words = command.split()
    if getattr(PARAMETERS[key], "is_flag", False):
        yield [*words, *options, name, *arguments]
        return
    beside = [
        other.rpartition(" ")[2]
        for other, parameter in PARAMETERS.items()
        if other.rpartition(" ")[0] == command and parameter.param_type_name == "argument"
    ]
    sharing = [other for other in PARAMETERS if other.endswith(f" {name}")]
    # What many commands share is read by one place, and each tries a third of the values.
    values = VALUES if len(sharing) < 5 else VALUES[sharing.index(key) % 3 :: 3]
    for value in values:
        if name in beside:
            given = list(arguments)
            place = beside.index(name)
            given[place : place + 1] = [value]
            yield [*words, *options, "--", *given]
        else:  # a later value of an option takes the place of an earlier one
            yield [*words, *options, name, value, "--", *arguments]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a tiny store, a split, and a run of neighbors and one of factors."""
    folder = tmp_path_factory.mktemp("fuzz") / "home"
    (folder / "folder").mkdir(parents=True)
    (folder / "note.txt").write_text("a note\n")
    write_synthetic(folder / "raw", n_ratings=2_000, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("BIGREC_", "KAGGLE_"))]:
            patch.delenv(name)
        assert main(["ingest", "raw"]) == 0
        assert main(["split", "create", "s", "--validation-fraction", "0.2", "--materialize"]) == 0
        assert main(["train", "cosine-knn", "--split", "s", "--run", "knn"]) == 0
        train = ["train", "matrix-factorization", "--split", "s", "--run", "mf", "--epochs", "1"]
        assert main(train) == 0
        shutil.copytree(folder, folder.with_name("pristine"))
        patch.setattr(download, "download_netflix", _no_network)
        patch.setattr(subprocess, "run", _no_process)
        # A page takes seconds to draw, and the options have done their part by then.
        patch.setattr(page, "describe_store", lambda *_, **__: EMPTY)
        patch.setattr(page, "describe_split", lambda *_, **__: EMPTY)
        patch.setattr(render, "vega_runtime", lambda: "")
        patch.setattr(page, "sort_out", lambda _: ([], []))
        yield folder


EMPTY: Final = Section("empty", "Empty", "", [], [])


def _no_network(folder: Path) -> NoReturn:
    raise DataError(f"no network for {folder}")


def _no_process(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 5)


def test_every_command_has_a_call_that_is_tried() -> None:
    assert {key.rpartition(" ")[0] for key in PARAMETERS} == set(CALLS)
    assert set(CALLS_OF) <= set(PARAMETERS)


@pytest.mark.parametrize("key", PARAMETERS)
def test_no_value_of_a_parameter_is_too_much(key: str, home: Path) -> None:
    faults = []
    for argv in command_lines(key):
        try:
            with _restored(home) as before:
                code, words = _call(home, argv)
                fault = _judge(home, before, argv, code, words)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            fault = f"{type(error).__name__}: {error}"
        if fault:
            faults.append(f"{_shown(argv)}\n    {fault[:300]}")
    assert not faults, "\n".join(faults)


def _judge(home: Path, before: dict[str, Any], argv: list[str], code: int, words: str) -> str:
    """What is wrong with the outcome of a call; empty if nothing is."""
    if code not in EXIT_CODES:
        return f"exit code {code}: {words[-200:]}"
    if "Traceback" in words:
        return f"a traceback: {words[-200:]}"
    if code and not words.strip():
        return f"exit code {code} without a word"
    after = _state(home)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    changed = {path for path in changed if not path.endswith(".lock")}
    if code:
        return f"exit code {code}, and changed {sorted(changed)[:5]}" if changed else ""
    told = {text.strip("/") for text in argv} | {"store", "runs", "made"}
    foreign = {
        path for path in changed
        if not any(path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/")
                   for name in told)
        or Path(path).name.startswith(".")
    }  # fmt: skip
    return f"left {sorted(foreign)[:5]}" if foreign else ""


def _call(home: Path, argv: list[str]) -> tuple[int, str]:
    """The exit code of a command line, and what it prints on stderr."""
    argv = [_IDS.setdefault(word, _find(home, word)) if word in _QUERIES else word for word in argv]
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")

    def too_long(*_: object) -> NoReturn:
        raise TimeoutError(f"it takes more than {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO())
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
    finally:
        signal.alarm(0)
        sys.stdin = stdin
    err.flush()
    return code, err.buffer.getvalue().decode()


_QUERIES: Final = {
    "USER": "SELECT user_id FROM users ORDER BY n_ratings DESC LIMIT 1",
    "ITEM": "SELECT item_id FROM items ORDER BY n_ratings DESC LIMIT 1",
}
_IDS: Final[dict[str, str]] = {}


def _find(home: Path, word: str) -> str:
    import bigrec

    with bigrec.open(home / "store") as store:
        return str(store.sql(_QUERIES[word]).fetchall()[0][0])


@contextlib.contextmanager
def _restored(home: Path) -> Iterator[dict[str, Any]]:
    """The state of the working folder, which is made anew afterwards where it has changed."""
    before = _state(home)
    try:
        yield before
    finally:
        if _state(home) != before:
            for path in home.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            shutil.copytree(home.with_name("pristine"), home, dirs_exist_ok=True)


def _state(folder: Path) -> dict[str, Any]:
    """Every file with its bytes, every folder: by its path below a folder."""
    state: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }
    return state


def _shown(argv: list[str]) -> str:
    words = (word if len(word) < 40 else f"{word[:10]}…({len(word)})" for word in argv)
    return ascii(" ".join(words))
