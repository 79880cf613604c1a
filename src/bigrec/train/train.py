"""The training stage: a materialized split in, a run directory out."""

from __future__ import annotations

import dataclasses
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bigrec.datasets.training_data import TrainingData
from bigrec.environment import describe_environment
from bigrec.errors import SettingsError
from bigrec.measures import primary_measure
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.contract import Checkpoint, FitContext, Model
from bigrec.models.options import ModelOptions, check_seed
from bigrec.models.registry import find_model
from bigrec.models.scoring import Scorer
from bigrec.models.threads import limit_computing
from bigrec.resources import SILENT, Budget, Progress, peak_rss_bytes
from bigrec.run_records import DeviceRecord, EpochSummary, RunConfig, RunMetrics, SplitRecord
from bigrec.train.checkpoints import CheckpointOptions
from bigrec.train.device_options import DeviceOptions
from bigrec.train.interrupts import TrainingInterrupted
from bigrec.train.summary import OnEpoch, TrainSummary
from bigrec.train.training import Fitted, Training
from bigrec.unfinished import CHECKPOINT, write_run, writing_run

if TYPE_CHECKING:
    from bigrec.models.gradient_model import GradientModel
    from bigrec.train.devices import Devices


def train_model(
    data: TrainingData,
    model_name: str,
    options: ModelOptions,
    *,
    preset: str,
    runs: Path,
    run: str,
    seed: int = 0,
    device: DeviceOptions | None = None,
    overwrite: bool = False,
    resume: bool = False,
    checkpoints: CheckpointOptions | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
    on_epoch: OnEpoch = lambda _: None,
) -> TrainSummary:
    """Train a model on a split and save the run.

    Args:
        data: the materialized split.
        model_name: see bigrec.models.registry.
        options: its hyper-parameters.
        preset: where the options started from; recorded.
        runs: the folder of runs.
        run: name of the run to make.
        seed: of initial weights, dropout and the order of batches.
        device: where and how to compute; on one device, chosen as there is one, if None.
        overwrite: whether a complete run of this name is replaced.
        resume: whether to go on from the checkpoint of an unfinished run of this name. On a CPU
            the result is bit for bit that of a training which never stopped.
        checkpoints: when to save what is needed to go on; every ten minutes if None.
        budget: threads, and memory of a model that is fitted at once.
        progress: told of train ratings done, or of lists of neighbors.
        on_epoch: called after each epoch that this call trains.

    Raises:
        SettingsError: no such model, a name that cannot be a folder's, no seed, early stopping on a
            split without a validation subset, or a precision or devices that the model cannot make
            use of.
        StoreError: day biases are wanted, and the split's days are not there.
        SplitError: the model ranks, and nobody in a subset has anything to be ranked.
        RunError: the run exists already, there is none to resume or it was begun otherwise, or the
            training has diverged.
        ResourceError: there is no such device, its memory does not suffice, or the disk is full.
        TrainingInterrupted: Ctrl-C; what is needed to go on is saved.
    """
    started = time.perf_counter()
    peak_before = peak_rss_bytes()
    budget = budget or Budget()
    model = find_model(model_name)
    check_seed(seed)
    options = options.settled(data.spec)
    limit_computing(budget.threads, tensorflow=model.steps is not None)
    if options.needs_days:
        data.check_days()
    devices, device = _choose_devices(data, model, options, device or DeviceOptions())
    objective = model.objectives[0]
    used = devices.names if devices else ("/CPU:0",)
    config = RunConfig(
        run=run,
        model=model.name,
        objective=objective,
        preset=preset,
        options=dataclasses.asdict(options),
        seed=seed,
        split=SplitRecord(data.split, data.split_digest, data.protocol, data.split_spec),
        spec=data.spec,
        environment=describe_environment(),
        device=DeviceRecord(device.kind, tuple(used), device.precision, device.cache),
    )
    with writing_run(runs, run, config, overwrite=overwrite, resume=resume) as folder:
        biases = fit_biases(data.train, data.spec, with_days=options.needs_days, progress=progress)
        training = Training(
            data, model, options, biases, seed, device, devices, folder, started,
            checkpoints or CheckpointOptions(), resume, budget, progress, on_epoch,
        )  # fmt: skip
        training.check_measures()
        fitted = _fit(training)
        peak = peak_rss_bytes()
        metrics = RunMetrics(
            primary=primary_measure(objective).name,
            **fitted.measured.test.test_record(),
            validation=fitted.measured.validation_measures,
            kept_epoch=fitted.kept_epoch,
            day_penalty=biases.days.penalty if biases.days else None,
            seconds=fitted.seconds,
            train_seconds=sum(epoch.seconds for epoch in fitted.epochs),
            # What the process had reached before says nothing about this training.
            peak_rss_bytes=peak if peak > peak_before else None,
        )
        write_run(
            folder, config=config, history=fitted.epochs, metrics=metrics,
            biases=training.biases,
            network=model.network(fitted.scorer), arrays=model.arrays(fitted.scorer),
        )  # fmt: skip
    return TrainSummary(
        run, model.name, data.split, tuple(fitted.epochs), fitted.kept_epoch, metrics.primary,
        metrics.validation, metrics.test, metrics.n_test, metrics.n_fallback,
    )  # fmt: skip


def _choose_devices(
    data: TrainingData, model: Model, options: ModelOptions, asked: DeviceOptions
) -> tuple[Devices | None, DeviceOptions]:
    """Where to train, None for the CPU without TensorFlow, and the options without any auto."""
    steps = model.steps
    if steps is not None:
        # Keras takes seconds to load, longer than other models take to fit small data.
        from bigrec.train.gradient import choose_devices_and_cache

        return choose_devices_and_cache(data, steps, options, asked)
    if (asked.n_devices, asked.precision, asked.cache) != (1, "float32", "auto"):
        raise SettingsError(
            f"{model.name} is fitted at once: it shares no batches, has no dense layers, "
            "caches no pairs",
            hint="leave out --devices, --precision and --cache",
        )
    asked = dataclasses.replace(asked, cache="off")
    if asked.kind == "cpu" or (asked.kind == "auto" and not _has_gpu_driver()):
        return None, asked
    from bigrec.train.devices import choose_devices

    return choose_devices(asked), asked


def _has_gpu_driver() -> bool:
    """Whether /dev has a file of NVIDIA's driver, of Windows beneath this Linux, or of AMD's."""
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "dxg", "kfd"))


def _fit(training: Training) -> Fitted:
    """Let the model learn: by steps, if it asks for them, which have their own account of it."""
    data, devices = training.data, training.devices
    by_epochs: Fitted | None = None

    def train_steps(model: GradientModel) -> Scorer:
        nonlocal by_epochs
        from bigrec.train.gradient import fit_by_epochs

        by_epochs = fit_by_epochs(training, model)
        return by_epochs.scorer

    checkpoint = Checkpoint(training.folder / CHECKPOINT, training.checkpoints.minutes)
    context = FitContext(
        data.train, data.spec, training.biases, training.options, seed=training.seed,
        budget=training.budget, progress=training.progress, checkpoint=checkpoint,
        devices=devices.names if devices else ("/CPU:0",), by_steps=train_steps,
    )  # fmt: skip
    guard: AbstractContextManager[None] = nullcontext()
    if devices is not None and devices.kind == "gpu":
        from bigrec.train.memory import explaining_exhausted_fit

        guard = explaining_exhausted_fit(training.model, devices)
    started = time.perf_counter()
    try:
        with guard:
            scorer = training.model.fit(context)
    except TrainingInterrupted:
        raise
    except KeyboardInterrupt:
        if not checkpoint.path.exists():
            raise
        raise TrainingInterrupted(f"stopped while fitting {training.model.name}") from None
    if by_epochs is not None:
        return dataclasses.replace(by_epochs, scorer=scorer)
    seconds = time.perf_counter() - started
    measured = training.measure(scorer)
    epoch = EpochSummary(
        epoch=1,
        train_loss=None,
        validation=measured.validation_measures,
        test=measured.test.measures,
        seconds=seconds,
        rows_per_second=data.train.n_ratings / seconds,
        input_wait_seconds=0.0,
    )
    training.on_epoch(epoch)
    return Fitted(scorer, [epoch], 1, measured, time.perf_counter() - training.started)
