"""`bigrec train`: fit a model to a split."""

from __future__ import annotations

import dataclasses
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.opening import describe_scale, open_data
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
from bigrec.errors import BigrecError, SettingsError
from bigrec.interactions import rating_words
from bigrec.measures import RANKING_OBJECTIVE, Measure, find_measure, primary_measure
from bigrec.models.registry import MODELS

if TYPE_CHECKING:
    from bigrec.models.contract import Model
    from bigrec.rows import DataSpec
    from bigrec.run_records import EpochSummary
    from bigrec.runs import RunDirectory


def train(
    model: Annotated[
        str,
        typer.Argument(help=f"{', '.join(MODELS)}, or one of another installed package."),
    ],
    split: Annotated[
        str | None, typer.Option("--split", help="Name of the split to train on; required.")
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="Hyper-parameters to start from: notebook or tuned.")
    ] = "tuned",
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Passes over the train subset.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Rows of a step.")
    ] = None,
    settings_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one hyper-parameter; repeatable."),
    ] = None,
    help_settings: Annotated[
        bool,
        typer.Option("--help-settings", help="List what --set can change in this model, and stop."),
    ] = False,
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run. Default: MODEL-SPLIT-PRESET.")
    ] = None,
    overwrite: ReplaceRunOption = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the unfinished run of that name.")
    ] = False,
    checkpoint_steps: Annotated[
        int | None,
        typer.Option("--checkpoint-steps", min=1, help="Save what --resume needs every N steps."),
    ] = None,
    checkpoint_minutes: Annotated[
        float,
        typer.Option(
            "--checkpoint-minutes", min=0, help="The same every N minutes; 0: each block."
        ),
    ] = 10.0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[
        str,
        typer.Option("--devices", metavar="N|all", help="How many GPUs share each batch."),
    ] = "1",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            help="float32, or mixed: hidden layers compute in bfloat16.",
        ),
    ] = "float32",
    cache: Annotated[
        str,
        typer.Option(
            "--cache",
            help="device: keep the pairs of the train subset in its memory; off; auto: on a GPU "
            "with room for them.",
        ),
    ] = "auto",
    seed: SeedOption = 0,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model on a split and save the run."""
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    from bigrec.models.options import GradientOptions, override
    from bigrec.models.registry import check_feedback, find_model, find_preset
    from bigrec.runs import open_run
    from bigrec.store.layout import StoreLayout
    from bigrec.store.manifest import read_manifest
    from bigrec.train.checkpoints import CheckpointOptions
    from bigrec.train.device_options import DeviceOptions
    from bigrec.train.interrupts import TrainingInterrupted
    from bigrec.unfinished import has_checkpoint

    require_extra("train", "tensorflow")
    known = find_model(model)
    if help_settings:
        _print_settings(known, as_json=as_json)
        return
    if split is None:
        raise SettingsError(
            "expected --split NAME, found none", hint="bigrec split list shows the splits"
        )
    check_feedback(known, read_manifest(StoreLayout(settings.store)).feedback)
    if known.steps is not None:
        load_tensorflow()
    from bigrec.train.train import train_model

    changes = dict(_parse_assignment(text) for text in settings_ or [])
    for key, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value is not None:
            changes[key] = str(value)
    placing = DeviceOptions(device, _parse_count(devices), precision, cache)
    options = override(find_preset(known, preset), changes)

    name = run or f"{model}-{split}-{preset}"
    if has_checkpoint(settings.runs, name) and not resume:
        console.print_note(f"starting {name} anew; --resume would go on with the unfinished run")
    n_epochs = options.epochs if isinstance(options, GradientOptions) else 1
    table = _EpochTable(n_epochs, primary_measure(find_model(model).objectives[0]))
    checkpoints = CheckpointOptions(checkpoint_steps, checkpoint_minutes)
    data = open_data(settings, split, with_days=options.needs_days)
    with console.progress_bars(keep=False) as progress:
        try:
            summary = train_model(
                data,
                model,
                options,
                preset=preset,
                runs=settings.runs,
                run=name,
                seed=seed,
                device=placing,
                overwrite=overwrite,
                resume=resume,
                checkpoints=checkpoints,
                budget=settings.budget,
                progress=progress,
                on_epoch=table.add,
            )
        except TrainingInterrupted as stop:
            raise _InterruptedError(
                f"interrupted: {stop}", hint="go on from there with the same command and --resume"
            ) from None
    if as_json:
        console.print_json(summary)
        return
    trained = open_run(settings.runs, name)
    console.print_fields(
        {
            "run": summary.run,
            "protocol": trained.protocol,
            **_describe_ratings(trained, data.spec),
            **({"day biases": _describe_days(trained)} if options.needs_days else {}),
            **_name_measures("validation", summary.validation or {}, [summary.primary]),
            **_name_measures("test", summary.test, list(summary.test)),
            "test ratings": summary.n_test,
            ("not ranked" if _ranks(trained) else "by fallback"): summary.n_fallback,
        }
    )


def _name_measures(
    subset: str, measures: Mapping[str, float], names: Sequence[str]
) -> dict[str, float]:
    """Some measures by what they are called in print; those of unclipped scores are left out."""
    shown = [find_measure(name) for name in names if name in measures and "unclipped" not in name]
    return {f"{subset} {measure.title}": measures[measure.name] for measure in shown}


def _ranks(run: RunDirectory) -> bool:
    return bool(run.config.objective == RANKING_OBJECTIVE)


def _describe_ratings(run: RunDirectory, spec: DataSpec) -> dict[str, str]:
    """What errors are counted in, or what a run that ranks learned from."""
    if not _ranks(run):
        return describe_scale(spec)
    positive = run.config.options["positive"]
    from_words = f"ratings of {rating_words(positive, spec.unit)} or more"
    return {
        "learned from": "every rating" if positive <= spec.min_rating else from_words,
        "relevant from": rating_words(spec.relevant, spec.unit),
    }


def _describe_days(run: RunDirectory) -> str:
    penalty = run.metrics.day_penalty
    if penalty is None:
        return "none: ratings of one day agree no more than others"
    return f"half of a day's mean deviation at {penalty:,.1f} ratings"


class _InterruptedError(BigrecError):
    """Ctrl-C, after the state of the training was saved."""

    exit_code = 130


class _EpochTable:
    """Prints a line an epoch, under a header that comes with the first."""

    def __init__(self, n_epochs: int, measure: Measure) -> None:
        self._n_epochs = n_epochs
        self._measure = measure
        self._has_header = False

    def add(self, epoch: EpochSummary) -> None:
        number = f"{epoch.epoch}/{self._n_epochs}"
        cells = {"epoch": f"{number:>7}"}
        if epoch.train_loss is not None:
            cells["train RMSE"] = f"{math.sqrt(epoch.train_loss):.4f}"
        for subset, measures in (("validation", epoch.validation), ("test", epoch.test)):
            if measures is not None:
                cells[f"{subset} {self._measure.title}"] = f"{measures[self._measure.name]:.4f}"
        cells["    rows/s"] = f"{epoch.rows_per_second:,.0f}"
        if epoch.train_loss is not None:
            cells["input wait"] = f"{epoch.input_wait_seconds / epoch.seconds:.1%}"
        cells["  seconds"] = f"{epoch.seconds:,.1f}"
        if not self._has_header:
            console.print_note("  ".join(f"{name:>7}" for name in cells))
            self._has_header = True
        console.print_note(
            "  ".join(f"{text:>{max(len(name), 7)}}" for name, text in cells.items())
        )


def _print_settings(known: Model, *, as_json: bool) -> None:
    from bigrec.models.options import describe_options

    model, options = known.name, describe_options(known.presets)
    if as_json:
        console.print_json(
            {"model": model, "settings": [dataclasses.asdict(option) for option in options]}
        )
        return
    console.print_line(f"What --set can change in {model}, and its value in each preset:")
    for option in options:
        values = ", ".join(f"{preset} {value}" for preset, value in option.presets.items())
        kind = ", ".join(filter(None, (option.type, option.bounds)))
        console.print_line(f"\n{option.name}  ({kind}; {values})")
        for line in textwrap.wrap(option.meaning, 92):
            console.print_line(f"    {line}")


def _parse_count(text: str) -> int:
    """A number of devices; 0 for all, as in DeviceOptions."""
    if text != "all" and not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise SettingsError(f"expected --devices N, at least 1, or all, found {text!r}")
    return 0 if text == "all" else int(text)


def _parse_assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"expected --set KEY=VALUE, found {text!r}")
    return key.strip(), value.strip()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)
