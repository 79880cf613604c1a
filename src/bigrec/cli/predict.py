"""`bigrec predict`: scores of given pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.loading import load_run
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunsOption,
    StoreOption,
    ThreadsOption,
)
from bigrec.errors import SettingsError
from bigrec.settings import resolve_settings


def predict(
    run: Annotated[str, typer.Argument(help="Name of the run.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", help="The file to write: .csv, .parquet, or .txt for the prize's form."
        ),
    ],
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="A csv file with user_id and movie_id.")
    ] = None,
    probe: Annotated[bool, typer.Option("--probe", help="Score the official probe.")] = False,
    qualifying: Annotated[
        bool, typer.Option("--qualifying", help="Score the qualifying pairs.")
    ] = False,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a score for every pair of a file, of the probe or of the qualifying set."""
    if [pairs is not None, probe, qualifying].count(True) != 1:
        raise SettingsError("expected one of --pairs FILE, --probe and --qualifying")
    from bigrec.models.scoring import FALLBACK
    from bigrec.recommend.predict import predict_pairs, predict_probe, read_pairs

    given = read_pairs(pairs) if pairs is not None else None
    loaded = load_run(
        resolve_settings({"store": store, "runs": runs, "memory": memory, "threads": threads}), run
    )
    if probe:
        summary = predict_probe(*loaded, output)
    else:
        frame = loaded.catalog.qualifying().collect() if given is None else given
        summary = predict_pairs(loaded.recommender, loaded.data, frame, output)
    if as_json:
        console.print_json(summary)
        return
    fields: dict[str, object] = {"pairs": summary.n_pairs, "by fallback": summary.n_fallback}
    if summary.rmse is not None:
        fields |= {"RMSE": summary.rmse, "pairs trained on": summary.n_in_train}
    console.print_fields({**fields, "output": summary.output})
    if summary.n_fallback:
        console.print_note(f"Fallback for users and movies without train ratings: {FALLBACK}.")
    if summary.n_in_train:
        console.print_warning(
            "The run was trained on some of these pairs: its RMSE here is too good."
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)
