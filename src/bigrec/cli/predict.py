"""`bigrec predict`: scores of given pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.opening import open_trained
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunArgument,
    RunsOption,
    StoreOption,
    ThreadsOption,
    check_result,
    read_settings,
)
from bigrec.errors import SettingsError
from bigrec.recommend.endings import check_ending


def predict(
    run: RunArgument,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="A csv or Parquet file: user_id, item_id, perhaps date."),
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Score the official probe, and measure the RMSE.")
    ] = False,
    qualifying: Annotated[
        bool, typer.Option("--qualifying", help="Score the qualifying pairs.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="The file to write: .csv, .parquet, or .txt for the prize's form. "
            "--probe needs none.",
        ),
    ] = None,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a score for every pair of a file, of the probe or of the qualifying set."""
    if [pairs is not None, probe, qualifying].count(True) != 1:
        raise SettingsError("expected one of --pairs FILE, --probe and --qualifying")
    if output is None and not probe:
        raise SettingsError("expected --output FILE, found none")
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    from bigrec.models.scoring import FALLBACK
    from bigrec.recommend.predict import ENDINGS

    if output is not None:
        check_ending(output, *ENDINGS)
        check_result(output, settings.store, pairs)
    opened = open_trained(settings, run)
    if probe or output is None:  # only --probe may lack an output
        summary = opened.predict_probe(output)
    elif pairs is not None:
        summary = opened.predict(pairs, output)
    else:
        summary = opened.predict_qualifying(output)
    if as_json:
        console.print_json(summary)
        return
    fields: dict[str, object] = {"pairs": summary.n_pairs, "by fallback": summary.n_fallback}
    if summary.rmse is not None:
        fields |= {"RMSE": summary.rmse, "pairs trained on": summary.n_in_train}
    if summary.output is not None:
        fields |= {"output": summary.output}
    console.print_fields(fields)
    if summary.n_fallback:
        console.print_note(f"Fallback for users and items without train ratings: {FALLBACK}.")
    if summary.n_in_train:
        console.print_warning(
            "The run was trained on some of these pairs: its RMSE here is too good."
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)
