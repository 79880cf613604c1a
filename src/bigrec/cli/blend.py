"""`bigrec blend`: several runs combined into one."""

from __future__ import annotations

from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.opening import describe_scale
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    ReplaceRunOption,
    RunsOption,
    SeedOption,
    StoreOption,
    ThreadsOption,
    load_tensorflow,
    read_settings,
    require_extra,
)


def blend(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs of one split.")],
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run to make. Default: blend-SPLIT.")
    ] = None,
    overwrite: ReplaceRunOption = False,
    seed: SeedOption = 0,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Weigh the scores of several runs by a ridge regression in the validation subset."""
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    require_extra("train", "sklearn")
    from bigrec.run_groups import blend_trained
    from bigrec.runs import open_run

    components = [open_run(settings.runs, name) for name in names]
    summary = blend_trained(
        settings.store,
        components,
        runs=settings.runs,
        run=run,
        seed=seed,
        overwrite=overwrite,
        budget=settings.budget,
        show_progress=console.progress_bars,
        before_keras=load_tensorflow,
    )
    if as_json:
        console.print_json(summary)
        return
    console.print_fields(
        {
            "run": summary.run,
            "protocol": open_run(settings.runs, summary.run).protocol,
            **describe_scale(components[0].config.spec),
            "fitted to": f"{summary.weights.n_fitted:,} validation ratings",
            "ridge penalty": f"{summary.weights.penalty:g}",
            "test RMSE": summary.test["rmse"],
            "test MAE": summary.test["mae"],
            "test ratings": summary.n_test,
            "by fallback": summary.n_fallback,
        }
    )
    console.print_table(
        ("component", "test RMSE", "weight", "by user support", "by item support"),
        [
            (own.run, one.metrics.test["rmse"], own.weight, own.by_user, own.by_item)
            for own, one in zip(summary.weights.components, components, strict=True)
        ],
        title="Weights, and how they grow with log train ratings",
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(blend)
