"""`bigrec train`: fit a model to a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunsOption,
    SeedOption,
    StoreOption,
    ThreadsOption,
    load_tensorflow,
)
from bigrec.errors import SettingsError
from bigrec.settings import resolve_settings

if TYPE_CHECKING:
    from bigrec.train.train import EpochSummary


def train(
    model: Annotated[
        str,
        typer.Argument(help="cosine-knn, autorec, matrix-factorization, dnn or residual."),
    ],
    split: Annotated[str, typer.Option("--split", help="Name of the split to train on.")],
    preset: Annotated[
        str, typer.Option("--preset", help="Hyper-parameters to start from: notebook or tuned.")
    ] = "tuned",
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Passes over the train side.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Rows of a step.")
    ] = None,
    settings_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one hyper-parameter; repeatable."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run. Default: MODEL-SPLIT-PRESET.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run of that name.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or gpu.")] = "auto",
    seed: SeedOption = 0,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model on a split and save the run."""
    load_tensorflow()
    from bigrec.datasets.training_data import open_training_data
    from bigrec.models.options import override
    from bigrec.models.registry import find_model, find_preset
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog
    from bigrec.train.device import limit_threads
    from bigrec.train.train import train_model

    settings = resolve_settings(
        {"store": store, "runs": runs, "memory": memory, "threads": threads}
    )
    if threads is not None:
        limit_threads(threads)
    changes = dict(_parse_assignment(text) for text in settings_ or [])
    for key, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value is not None:
            changes[key] = str(value)
    options = override(find_preset(find_model(model), preset), changes)
    saved = open_split(open_catalog(settings.store), split)

    def report(epoch: EpochSummary) -> None:
        mse = "" if epoch.train_mse is None else f"train MSE {epoch.train_mse:.4f}  "
        console.print_note(
            f"epoch {epoch.epoch:>3}  {mse}test RMSE {epoch.test_rmse:.4f}  "
            f"{epoch.seconds:.1f} s  {epoch.rows_per_second:,.0f} rows/s"
        )

    with console.progress_bars() as progress:
        shards = materialize_split(saved, budget=settings.budget, progress=progress)
        summary = train_model(
            open_training_data(shards),
            model,
            options,
            preset=preset,
            runs=settings.runs,
            run=run or f"{model}-{split}-{preset}",
            seed=seed,
            device=device,
            overwrite=overwrite,
            budget=settings.budget,
            progress=progress,
            on_epoch=report,
        )
    if as_json:
        console.print_json(summary)
        return
    console.print_fields(
        {
            "run": summary.run,
            "protocol": saved.spec.protocol(),
            "test RMSE": summary.test_rmse,
            "test MAE": summary.test_mae,
            "test ratings": summary.n_test,
            "by fallback": summary.n_fallback,
        }
    )


def _parse_assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"expected --set KEY=VALUE, found {text!r}")
    return key.strip(), value.strip()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)
