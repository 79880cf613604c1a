"""What commands share: their common options, declared once, and the check for optional packages."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bigrec.errors import ResourceError, SettingsError
from bigrec.settings import Settings, resolve_settings
from bigrec.thread_limits import announce_threads


def _read_path(text: str) -> Path:
    """A path as it was typed: an empty one, as of a variable without a value, is no folder."""
    if not text.strip():
        raise typer.BadParameter("expected a path, found nothing")
    return Path(text)


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        parser=_read_path,
        metavar="DIRECTORY",
        help="Default: store, or BIGREC_STORE.",
    ),
]
RunsOption = Annotated[
    Path | None,
    typer.Option(
        "--runs",
        parser=_read_path,
        metavar="DIRECTORY",
        help="The folder of runs. Default: runs, or BIGREC_RUNS.",
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Default: 1GiB, or BIGREC_MEMORY."),
]
ThreadsOption = Annotated[
    str | None,
    typer.Option("--threads", metavar="NUMBER", help="Worker threads. Default: all cores."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print nothing but one JSON object.")]
RunArgument = Annotated[str, typer.Argument(help="Name of the run.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="Length of a list.")]
ReplaceRunOption = Annotated[bool, typer.Option("--overwrite", help="Replace a run of that name.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]


def read_settings(
    *,
    store: Path | None = None,
    runs: Path | None = None,
    memory: str | None = None,
    threads: str | None = None,
) -> Settings:
    """The settings of a command; libraries that are not loaded yet are told of its threads.

    So it comes before whatever loads NumPy, Polars or TensorFlow.

    Raises:
        SettingsError: a value or a key cannot be used.
        ResourceError: the memory is too little to work in.
    """
    settings = resolve_settings(store=store, runs=runs, memory=memory, threads=threads)
    announce_threads(settings.budget.threads)
    return settings


def as_utf8(text: str) -> str:
    """Text of the command line as UTF-8, whatever encoding the system's language has."""
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text  # it is refused by whoever needs it


def check_result(output: Path, store: Path, *inputs: Path | None) -> None:
    """Refuse a path for a result before any work is done.

    Args:
        output: the file to write.
        store: the store that the command is about; none of its raw files is replaced.
        inputs: what the command reads beside it.

    Raises:
        SettingsError: the path cannot be written, or what is there has to stay.
        StoreError: there is no store.
    """
    from bigrec.store.layout import StoreLayout
    from bigrec.store.manifest import read_manifest
    from bigrec.store.publish import check_output

    check_output(output, inputs=[path for path in inputs if path is not None])
    if read_manifest(StoreLayout(store)).is_source(output):
        raise SettingsError(
            f"{output} is a raw file that {store} was made from", hint="write to another file"
        )


def require_extra(extra: str, module: str) -> None:
    """Stop with the right `pip install` where an optional package is missing.

    Raises:
        ResourceError: the package is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise ResourceError.missing_extra(extra, module)


def load_tensorflow() -> None:
    """Import TensorFlow without the messages that its start writes past Python's logging.

    Raises:
        ResourceError: TensorFlow is not installed.
    """
    require_extra("train", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
