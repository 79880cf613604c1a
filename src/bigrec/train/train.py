"""The training stage: a materialized split in, a run directory out."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from bigrec.datasets.pairs import PairFeed
from bigrec.datasets.training_data import TrainingData
from bigrec.datasets.user_rows import RowFeed
from bigrec.errors import RunError
from bigrec.models import matrix_factorization
from bigrec.models.autorec import AutoRecOptions
from bigrec.models.bias import Biases
from bigrec.models.bias_fit import fit_biases
from bigrec.models.dnn import DnnOptions
from bigrec.models.matrix_factorization import FactorOptions, start_from_factorization
from bigrec.models.options import GradientOptions, ModelOptions
from bigrec.models.recommender import Recommender, takes_rows
from bigrec.models.registry import ModelDefinition, find_model
from bigrec.models.scoring import Errors
from bigrec.resources import SILENT, Budget, Progress
from bigrec.runs import check_run_name, describe_environment, write_run
from bigrec.store.writer import publishing
from bigrec.train.code_loop import CodeLoop
from bigrec.train.device import choose_device
from bigrec.train.loop import Block, Loop, PairLoop, RowLoop
from bigrec.train.priors import FactorPenalty


@dataclass(frozen=True)
class EpochSummary:
    """What one pass over the train side gave."""

    epoch: int
    """From 1."""
    train_mse: float | None
    """Mean squared error while training; None for a model without gradient steps."""
    test_rmse: float
    """RMSE on the test side after the epoch, in stars."""
    seconds: float
    """Wall time of the pass, without the test."""
    input_wait_seconds: float
    """The part of it that was spent waiting for input."""
    rows_per_second: float
    """Train ratings a second."""


@dataclass(frozen=True)
class TrainSummary:
    """What a training gave."""

    run: str
    model: str
    split: str
    epochs: tuple[EpochSummary, ...]
    test_rmse: float
    """RMSE on the test side, scores clipped to the scale, in stars."""
    test_mae: float
    """Mean absolute error, likewise."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or movie has no train row, scored by the bias model."""


OnEpoch = Callable[[EpochSummary], None]


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
        overwrite: whether a run of this name is replaced.
        budget: threads and memory of a model that is fitted at once.
        progress: told of train ratings done.
        on_epoch: called after each epoch.

    Raises:
        SettingsError: no such model or device, or a name that cannot be a folder's.
        RunError: the run exists already, or the loss is no longer a number.
        ResourceError: there is no such device.
    """
    check_run_name(run)
    model = find_model(model_name)
    target = runs / run
    if target.exists() and not overwrite:
        raise RunError(f"the run {run!r} exists already", hint="name another with --run")
    started = time.perf_counter()
    keras.utils.set_random_seed(seed)
    with publishing(target) as partial, tf.device(choose_device(device)):
        biases = fit_biases(data.train, data.spec)
        fitting = _Fitting(data, model, options, biases, seed, budget, progress, on_epoch)
        trained, epochs, errors = fitting.run()
        config = {
            "run": run,
            "model": model.name,
            "preset": preset,
            "options": dataclasses.asdict(options),
            "seed": seed,
            "device": device,
            "split": {
                "name": data.split, "digest": data.split_digest, "protocol": data.protocol
            },
            "spec": dataclasses.asdict(data.spec),
            "environment": describe_environment(),
        }  # fmt: skip
        metrics = {
            **errors.test_metrics(),
            "seconds": time.perf_counter() - started,
            "train_seconds": sum(epoch.seconds for epoch in epochs),
        }
        write_run(
            partial, config=config, history=[dataclasses.asdict(epoch) for epoch in epochs],
            metrics=metrics, biases=biases, model=trained, representation=model.represent(trained),
        )  # fmt: skip
    return TrainSummary(
        run, model.name, data.split, tuple(epochs),
        errors.rmse, errors.mae, errors.n, errors.n_fallback,
    )  # fmt: skip


@dataclass(frozen=True)
class _Fitting:
    data: TrainingData
    model: ModelDefinition
    options: Any
    biases: Biases
    seed: int
    budget: Budget | None
    progress: Progress
    on_epoch: OnEpoch

    def run(self) -> tuple[keras.Model, list[EpochSummary], Errors]:
        if self.model.fit is not None:
            return self._fit_at_once()
        return self._fit_by_epochs(self.options)

    def _fit_at_once(self) -> tuple[keras.Model, list[EpochSummary], Errors]:
        data = self.data
        self.progress.start(f"fitting {self.model.name}", data.spec.n_users, "users")
        started = time.perf_counter()
        assert self.model.fit is not None  # noqa: S101 - the caller looked
        trained = self.model.fit(
            data.train, data.spec, self.options, self.biases, self.progress.advance,
            budget=self.budget,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        errors = self._recommender(trained).errors_on(data.test)
        epoch = EpochSummary(1, None, errors.rmse, seconds, 0.0, data.train.n_rows / seconds)
        self.on_epoch(epoch)
        return trained, [epoch], errors

    def _fit_by_epochs(
        self, options: GradientOptions
    ) -> tuple[keras.Model, list[EpochSummary], Errors]:
        data = self.data
        assert self.model.build is not None  # noqa: S101 - a model has build or fit
        trained = self.model.build(data.spec, options, self.biases)
        loop: Loop
        feed: PairFeed | RowFeed
        order = {"batch_size": options.batch_size, "seed": self.seed}
        if isinstance(options, AutoRecOptions) and options.form == "codes":
            rows = data.train
            if options.basis == "item":
                rows = rows.transposed(data.spec.n_movies)
            loop = CodeLoop(trained, options, rows, self.biases)
            feed = RowFeed(rows, **order)
        elif takes_rows(trained):
            loop = RowLoop(trained, options, data.spec.n_movies)
            feed = RowFeed(data.train, **order)
        else:
            if isinstance(options, DnnOptions) and options.start_from_factors:
                start_from_factorization(trained, self._train_factorization(options))
            loop = self._pair_loop(trained, options)
            feed = PairFeed(data.shards(), **order)
        recommender = self._recommender(trained)
        epochs = []
        for number in range(1, options.epochs + 1):
            self.progress.start(f"epoch {number}/{options.epochs}", feed.n_rows, "ratings")
            started = time.perf_counter()
            mse, waited = self._train_epoch(loop, feed.blocks(number))
            loop.end_epoch()
            seconds = time.perf_counter() - started
            if not math.isfinite(mse):
                raise RunError(
                    f"the loss of epoch {number} is not a number: training diverged",
                    hint=f"lower the learning rate, now {options.learning_rate:g}, with "
                    f"--set learning_rate={options.learning_rate / 4:g}",
                )
            errors = recommender.errors_on(data.test)
            epochs.append(
                EpochSummary(number, mse, errors.rmse, seconds, waited, feed.n_rows / seconds)
            )
            self.on_epoch(epochs[-1])
        return trained, epochs, errors

    def _train_factorization(self, options: DnnOptions) -> keras.Model:
        """A tuned factorisation with factors of the size of a network's embeddings."""
        data = self.data
        preset = matrix_factorization.PRESETS["tuned"]
        factor_options = dataclasses.replace(preset, embedding_size=options.embedding_size)
        trained = matrix_factorization.build(data.spec, factor_options, self.biases)
        loop = self._pair_loop(trained, factor_options)
        feed = PairFeed(data.shards(), batch_size=factor_options.batch_size, seed=self.seed)
        for number in range(1, factor_options.epochs + 1):
            task = f"factorisation {number}/{factor_options.epochs}"
            self.progress.start(task, feed.n_rows, "ratings")
            self._train_epoch(loop, feed.blocks(number))
            loop.end_epoch()
        return trained

    def _pair_loop(self, model: keras.Model, options: GradientOptions) -> PairLoop:
        penalty = None
        if isinstance(options, FactorOptions) and options.row_l2:
            penalty = FactorPenalty(self.data.train, self.biases, options)
        return PairLoop(model, options, penalty)

    def _train_epoch(self, loop: Loop, blocks: Iterable[Block]) -> tuple[float, float]:
        """Train on every block: mean squared error, and the seconds spent waiting for blocks."""
        squares, n_rows, waited = 0.0, 0, 0.0
        remaining = iter(blocks)
        while True:
            started = time.perf_counter()
            block = next(remaining, None)
            waited += time.perf_counter() - started
            if block is None:
                return squares / n_rows, waited
            block_squares, n_block = loop.train_block(block)
            squares, n_rows = squares + block_squares, n_rows + n_block
            self.progress.advance(n_block, n_block)

    def _recommender(self, trained: keras.Model) -> Recommender:
        data = self.data
        return Recommender(trained, data.train, data.spec, self.biases)
