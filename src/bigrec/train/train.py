"""The training stage: a materialized split in, a run directory out."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from bigrec.datasets.pairs import PairFeed
from bigrec.datasets.training_data import TrainingData
from bigrec.datasets.user_rows import RowFeed
from bigrec.errors import SettingsError
from bigrec.models import matrix_factorization
from bigrec.models.autorec import AutoRecOptions
from bigrec.models.bias import Biases
from bigrec.models.bias_fit import fit_biases
from bigrec.models.dnn import DnnOptions
from bigrec.models.matrix_factorization import FactorOptions, start_from_factorization
from bigrec.models.options import GradientOptions, ModelOptions
from bigrec.models.recommender import Recommender, takes_rows
from bigrec.models.registry import ModelDefinition, find_model
from bigrec.resources import SILENT, Budget, Progress, peak_rss_bytes
from bigrec.runs import CHECKPOINT, describe_environment, write_run, writing_run
from bigrec.train.checkpoints import CheckpointOptions, Checkpoints, TrainingState
from bigrec.train.code_loop import CodeLoop
from bigrec.train.devices import choose_devices
from bigrec.train.epochs import EpochFit, Measured, OnEpoch
from bigrec.train.history import EpochSummary, HistoryWriter
from bigrec.train.loop import Loop, PairLoop, RowLoop
from bigrec.train.memory import explaining_exhaustion
from bigrec.train.priors import FactorPenalty
from bigrec.train.schedule import learning_rate_factor


@dataclass(frozen=True)
class TrainSummary:
    """What a training gave."""

    run: str
    model: str
    split: str
    epochs: tuple[EpochSummary, ...]
    kept_epoch: int
    """The epoch whose weights the run holds: the last, or with early stopping the best."""
    validation_rmse: float | None
    """RMSE on the validation side, as below; None for a split without one."""
    test_rmse: float
    """RMSE on the test side, scores clipped to the scale, in stars."""
    test_mae: float
    """Mean absolute error, likewise."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or movie has no train row, scored by the bias model."""


def train_model(
    data: TrainingData,
    model_name: str,
    options: ModelOptions,
    *,
    preset: str,
    runs: Path,
    run: str,
    seed: int = 0,
    device: str = "auto",
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
        model_name: a name of MODELS.
        options: its hyper-parameters.
        preset: where the options started from; recorded.
        runs: the folder of runs.
        run: name of the run to make.
        seed: of initial weights, dropout and the order of batches.
        device: auto, cpu or gpu.
        overwrite: whether a complete run of this name is replaced.
        resume: whether to go on from the checkpoint of an unfinished run of this name. On a CPU
            the result is bit for bit that of a training which never stopped.
        checkpoints: when to save what is needed to go on; every ten minutes if None.
        budget: threads and memory of a model that is fitted at once.
        progress: told of train ratings done.
        on_epoch: called after each epoch that this call trains.

    Raises:
        SettingsError: no such model or device, a name that cannot be a folder's, or early stopping
            on a split without a validation side.
        RunError: the run exists already, there is none to resume or it was begun otherwise, or the
            training has diverged.
        ResourceError: there is no such device, its memory does not suffice, or the disk is full.
        TrainingInterrupted: Ctrl-C; what is needed to go on is saved.
    """
    started = time.perf_counter()
    peak_before = peak_rss_bytes()
    model = find_model(model_name)
    if isinstance(options, GradientOptions) and options.patience and data.validation is None:
        raise SettingsError(
            f"patience={options.patience} stops by the error on a validation side, and the split "
            f"{data.split!r} has none",
            hint="make a split with: bigrec split create NAME --validation-fraction 0.1",
        )
    devices = choose_devices(device)
    config = {
        "run": run,
        "model": model.name,
        "preset": preset,
        "options": dataclasses.asdict(options),
        "seed": seed,
        "device": {"asked": device, "used": list(devices.names)},
        "split": {
            "name": data.split,
            "digest": data.split_digest,
            "protocol": data.protocol,
            "spec": data.split_spec,
        },
        "spec": dataclasses.asdict(data.spec),
        "environment": describe_environment(),
    }
    with (
        writing_run(runs, run, config, overwrite=overwrite, resume=resume) as folder,
        explaining_exhaustion(model, data.spec, options, devices, n_train=data.train.n_rows),
        devices.scope(),
    ):
        keras.utils.set_random_seed(seed)
        biases = fit_biases(data.train, data.spec)
        fitting = _Fitting(
            data, model, options, biases, seed, folder, started,
            checkpoints or CheckpointOptions(), resume, budget, progress, on_epoch,
        )  # fmt: skip
        fitted = fitting.run()
        test = fitted.measured.test
        summary = TrainSummary(
            run, model.name, data.split, tuple(fitted.epochs), fitted.kept_epoch,
            fitted.measured.validation_rmse, test.rmse, test.mae, test.n, test.n_fallback,
        )  # fmt: skip
        peak = peak_rss_bytes()
        metrics = {
            **test.test_metrics(),
            "validation_rmse": summary.validation_rmse,
            "kept_epoch": fitted.kept_epoch,
            "seconds": fitted.seconds,
            "train_seconds": sum(epoch.seconds for epoch in fitted.epochs),
            # What the process had reached before says nothing about this training.
            "peak_rss_bytes": peak if peak > peak_before else None,
        }
        write_run(
            folder, config=config, history=[dataclasses.asdict(epoch) for epoch in fitted.epochs],
            metrics=metrics, biases=biases, model=fitted.model,
            representation=model.represent(fitted.model),
        )  # fmt: skip
    return summary


@dataclass(frozen=True)
class _Fitted:
    model: keras.Model
    epochs: list[EpochSummary]
    kept_epoch: int
    measured: Measured
    seconds: float
    """Wall time since the training began, without pauses."""


@dataclass(frozen=True)
class _Fitting:
    data: TrainingData
    definition: ModelDefinition
    options: Any
    biases: Biases
    seed: int
    folder: Path
    started: float
    checkpoints: CheckpointOptions
    resume: bool
    budget: Budget | None
    progress: Progress
    on_epoch: OnEpoch

    def run(self) -> _Fitted:
        if self.definition.fit is not None:
            return self._fit_at_once()
        return self._fit_by_epochs(self.options)

    def _fit_at_once(self) -> _Fitted:
        data = self.data
        self.progress.start(f"fitting {self.definition.name}", data.spec.n_users, "users")
        started = time.perf_counter()
        assert self.definition.fit is not None  # noqa: S101 - the caller looked
        model = self.definition.fit(
            data.train, data.spec, self.options, self.biases, self.progress.advance,
            budget=self.budget,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        measured = self._measure(self._recommender(model))
        epoch = EpochSummary(
            epoch=1,
            train_mse=None,
            validation_rmse=measured.validation_rmse,
            test_rmse=measured.test.rmse,
            seconds=seconds,
            rows_per_second=data.train.n_rows / seconds,
            input_wait_seconds=0.0,
        )
        with HistoryWriter(self.folder) as history:
            history.append(epoch)
        self.on_epoch(epoch)
        return _Fitted(model, [epoch], 1, measured, time.perf_counter() - self.started)

    def _fit_by_epochs(self, options: GradientOptions) -> _Fitted:
        data = self.data
        assert self.definition.build is not None  # noqa: S101 - a model has build or fit
        model = self.definition.build(data.spec, options, self.biases)
        loop: Loop
        feed: PairFeed | RowFeed
        if isinstance(options, AutoRecOptions) and options.form == "codes":
            rows = data.train
            if options.basis == "item":
                rows = rows.transposed(data.spec.n_movies)
            loop = CodeLoop(model, options, rows, self.biases)
            feed = RowFeed(rows, batch_size=options.batch_size, seed=self.seed)
        elif takes_rows(model):
            loop = RowLoop(model, options, data.spec.n_movies)
            feed = RowFeed(data.train, batch_size=options.batch_size, seed=self.seed)
        else:
            # A checkpoint holds what the start has become.
            if isinstance(options, DnnOptions) and options.start_from_factors and not self.resume:
                start_from_factorization(model, self._train_factorization(options))
            loop = self._pair_loop(model, options)
            feed = PairFeed(data.shards(), batch_size=options.batch_size, seed=self.seed)
        checkpoints = Checkpoints(self.folder / CHECKPOINT, loop.variables, self.checkpoints)
        state = checkpoints.restore() if self.resume else TrainingState()
        state.started = self.started
        recommender = self._recommender(model)
        with HistoryWriter(self.folder, state.history) as history:

            def end_epoch(epoch: EpochSummary) -> None:
                history.append(epoch)
                self.on_epoch(epoch)

            fit = EpochFit(
                model, loop, feed, data.spec, options, lambda: self._measure(recommender), state,
                checkpoints, self.progress, end_epoch,
            )  # fmt: skip
            measured = fit.run()
        return _Fitted(model, state.history, fit.kept_epoch, measured, state.elapsed_seconds)

    def _train_factorization(self, options: DnnOptions) -> keras.Model:
        """A tuned factorisation with factors of the size of a network's embeddings."""
        data = self.data
        preset = matrix_factorization.PRESETS["tuned"]
        factor_options = dataclasses.replace(preset, embedding_size=options.embedding_size)
        model = matrix_factorization.build(data.spec, factor_options, self.biases)
        loop = self._pair_loop(model, factor_options)
        feed = PairFeed(data.shards(), batch_size=factor_options.batch_size, seed=self.seed)
        for epoch in range(1, factor_options.epochs + 1):
            loop.learning_rate_factor.assign(learning_rate_factor(factor_options, epoch))
            task = f"factorisation {epoch}/{factor_options.epochs}"
            self.progress.start(task, feed.n_rows, "ratings")
            for block in feed.blocks(epoch):
                _, n_rows = loop.train_block(block)
                self.progress.advance(n_rows, n_rows)
            loop.end_epoch()
        return model

    def _pair_loop(self, model: keras.Model, options: GradientOptions) -> PairLoop:
        penalty = None
        if isinstance(options, FactorOptions) and options.row_l2:
            penalty = FactorPenalty(self.data.train, self.biases, options)
        return PairLoop(model, options, penalty)

    def _recommender(self, model: keras.Model) -> Recommender:
        data = self.data
        return Recommender(model, data.train, data.spec, self.biases)

    def _measure(self, recommender: Recommender) -> Measured:
        validation = self.data.validation
        return Measured(
            None if validation is None else recommender.errors_on(validation),
            recommender.errors_on(self.data.test),
        )
