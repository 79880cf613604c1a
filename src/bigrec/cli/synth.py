"""`bigrec synth`: raw files in the form of the Netflix Prize set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, SeedOption, ThreadsOption, read_settings


def synth(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    ratings: Annotated[int, typer.Option("--ratings", help="Number of ratings to write.")],
    seed: SeedOption = 0,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write synthetic raw files in the exact form of the Netflix Prize set."""
    settings = read_settings(memory=memory, threads=threads)
    from bigrec.synthetic import write_synthetic

    with console.progress_bars() as progress:
        summary = write_synthetic(
            out, n_ratings=ratings, seed=seed, budget=settings.budget, progress=progress
        )
    if as_json:
        console.print_json(summary)
    else:
        console.print_fields(
            {
                "ratings": summary.n_ratings,
                "users": summary.n_users,
                "items": summary.n_items,
                "noise RMSE": summary.noise_rmse,
            }
        )
        console.print_note("No model can have a lower RMSE than the noise of these ratings.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(synth)
