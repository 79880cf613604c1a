"""The options that commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="The store's folder. [env: BIGREC_STORE; default: store]"),
]
RunsOption = Annotated[
    Path | None,
    typer.Option("--runs", help="The folder of runs. [env: BIGREC_RUNS; default: runs]"),
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", help="Memory to stay within. [env: BIGREC_MEMORY; default: 1GiB]"),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Worker threads. [default: all cores]"),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]
