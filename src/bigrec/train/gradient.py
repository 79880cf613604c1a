"""Training by gradient steps: epochs over a materialized split, on one device or several."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeGuard

import keras

from bigrec.datasets.pairs import PairFeed
from bigrec.datasets.recoding import recode_shards
from bigrec.datasets.training_data import Shards, TrainingData
from bigrec.datasets.user_rows import RowFeed
from bigrec.errors import SettingsError
from bigrec.features import UserRows
from bigrec.models.autorec.network import AutoRecOptions
from bigrec.models.deep.dnn import DnnOptions
from bigrec.models.factorization import network as matrix_factorization
from bigrec.models.factorization.network import FactorOptions, start_from_factorization
from bigrec.models.keras_scorer import KerasScorer, takes_rows
from bigrec.models.options import GradientOptions, ModelOptions
from bigrec.models.registry import ModelDefinition
from bigrec.train.checkpoints import Checkpoints, TrainingState
from bigrec.train.code_loop import CodeLoop
from bigrec.train.device_cache import CachedPairFeed, cache_bytes, choose_cache
from bigrec.train.device_options import POLICIES, DeviceOptions
from bigrec.train.devices import Devices, choose_devices
from bigrec.train.epochs import EpochFit, Feed
from bigrec.train.feeds import EvenFeed
from bigrec.train.history import HistoryWriter
from bigrec.train.loop import Loop, PairLoop, RowLoop
from bigrec.train.memory import check_devices, explaining_exhaustion
from bigrec.train.priors import FactorPenalty
from bigrec.train.replicas import count_devices
from bigrec.train.schedule import learning_rate_factor
from bigrec.train.summary import EpochSummary
from bigrec.train.training import Fitted, Training
from bigrec.unfinished import CHECKPOINT


def fit_by_epochs(training: Training) -> Fitted:
    """Train a Keras model to the end, from the start or from the checkpoint.

    Raises:
        RunError: the training has diverged, or its checkpoint cannot be used.
        ResourceError: the memory of the devices does not suffice.
        TrainingInterrupted: Ctrl-C; what is needed to go on is saved.
    """
    assert training.devices is not None  # noqa: S101 - Keras computes on some
    keras.utils.set_random_seed(training.seed)
    n_train = training.data.train.n_rows
    with (
        explaining_exhaustion(
            training.definition, training.data.spec, training.options, training.devices,
            n_train=n_train, cache_bytes=cache_bytes(training.device, n_train),
        ),
        training.devices.scope(),
    ):  # fmt: skip
        return _fit(training, training.options)


def choose_devices_and_cache(
    data: TrainingData, definition: ModelDefinition, options: ModelOptions, asked: DeviceOptions
) -> tuple[Devices, DeviceOptions]:
    """Where a Keras model is trained; refuses what it cannot make use of.

    Returns:
        The devices, and the options with the cache device or off.

    Raises:
        SettingsError: a precision without a layer for it, several devices that cannot share its
            batches, or a cache of pairs for a model of rows.
        ResourceError: there are no such devices, or they are too small for the training.
    """
    assert isinstance(options, GradientOptions)  # noqa: S101 - as a Keras model's are
    devices = choose_devices(asked)
    if asked.precision != "float32" and not definition.has_dense_layers(options):
        raise SettingsError(
            f"--precision {asked.precision} is for dense layers, of which {definition.name} has "
            "none with these settings",
            hint="leave it out: lookups and updates of rows are float32 in every model",
        )
    n_devices = len(devices.names)
    if n_devices > 1 and _is_by_codes(options):
        raise SettingsError(
            f"autorec with form=codes trains on one device, found {n_devices}: its batches are of "
            "few rows",
            hint="leave out --devices; form=deep and the models of pairs share their batches",
        )
    if options.batch_size % n_devices:
        even = options.batch_size // n_devices * n_devices or n_devices
        raise SettingsError(
            f"a batch of {options.batch_size:,} cannot be dealt out evenly to {n_devices} devices",
            hint=f"try --batch-size {even} or {even + n_devices}",
        )
    n_train = data.train.n_rows
    chosen = choose_cache(definition, data.spec, options, asked, devices, n_train=n_train)
    check_devices(
        definition, data.spec, options, devices,
        n_train=n_train, cache_bytes=cache_bytes(chosen, n_train),
    )  # fmt: skip
    return devices, chosen


def _is_by_codes(options: ModelOptions) -> TypeGuard[AutoRecOptions]:
    return isinstance(options, AutoRecOptions) and options.form == "codes"


def _fit(training: Training, options: GradientOptions) -> Fitted:
    data, seed = training.data, training.seed
    build = training.definition.build
    assert build is not None  # noqa: S101 - a Keras model is built
    if training.definition.has_dense_layers(options):
        build = partial(build, policy=POLICIES[training.device.precision])
    model = build(data.spec, options, training.biases)
    rows = dataclasses.replace(data.train, rating=training.biases.less_days(data.train))
    loop: Loop
    feed: Feed
    with ExitStack() as stack:
        if _is_by_codes(options):
            if options.basis == "item":
                rows = rows.transposed(data.spec.n_items)
            loop = CodeLoop(model, options, rows, training.biases)
            feed = RowFeed(rows, batch_size=options.batch_size, seed=seed)
        elif takes_rows(model):
            loop = RowLoop(model, options, data.spec.n_items)
            feed = _deal(RowFeed(rows, batch_size=options.batch_size, seed=seed))
        else:
            shards = stack.enter_context(_shards(training, rows))
            # A checkpoint holds what the start has become.
            if (
                isinstance(options, DnnOptions)
                and options.start_from_factors
                and not training.resume
            ):
                trained = _train_factorization(training, options, shards)
                start_from_factorization(model, trained)
            loop = _pair_loop(training, model, options, shards)
            feed = _pair_feed(training, options, shards.paths)
        stack.callback(feed.close)  # before its shards are removed
        return _run_epochs(training, model, loop, feed, options)


def _run_epochs(
    training: Training, model: keras.Model, loop: Loop, feed: Feed, options: GradientOptions
) -> Fitted:
    data = training.data
    checkpoints = Checkpoints(training.folder / CHECKPOINT, loop.variables, training.checkpoints)
    state = checkpoints.restore() if training.resume else TrainingState()
    state.started = training.started
    recommender = KerasScorer(model, data.train, data.spec, training.biases)
    with HistoryWriter(training.folder, state.history) as history:

        def end_epoch(epoch: EpochSummary) -> None:
            history.append(epoch)
            training.on_epoch(epoch)

        fit = EpochFit(
            model, loop, feed, data.spec, options, lambda: training.measure(recommender), state,
            checkpoints, training.progress, end_epoch,
        )  # fmt: skip
        measured = fit.run()
    return Fitted(model, state.history, fit.kept_epoch, measured, state.elapsed_seconds)


@contextmanager
def _shards(training: Training, rows: UserRows) -> Iterator[Shards]:
    """The shuffled pairs, with the ratings of `rows`: the split's own unless days are taken off."""
    shards = training.data.shards()
    if training.biases.days is None:
        yield shards
        return
    folder = training.folder / "shuffled"
    shutil.rmtree(folder, ignore_errors=True)  # of a training that was killed
    try:
        yield recode_shards(shards, rows, folder, training.progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train_factorization(training: Training, options: DnnOptions, shards: Shards) -> keras.Model:
    """A tuned factorisation with factors of the size of a network's embeddings."""
    data = training.data
    preset = matrix_factorization.PRESETS["tuned"]
    factor_options = dataclasses.replace(
        preset,
        embedding_size=options.embedding_size,
        batch_size=preset.batch_size // count_devices() * count_devices(),
    )
    model = matrix_factorization.build(data.spec, factor_options, training.biases)
    loop = _pair_loop(training, model, factor_options, shards)
    feed = _pair_feed(training, factor_options, shards.paths)
    for epoch in range(1, factor_options.epochs + 1):
        loop.learning_rate_factor.assign(learning_rate_factor(factor_options, epoch))
        task = f"factorisation {epoch}/{factor_options.epochs}"
        training.progress.start(task, feed.n_rows, "ratings")
        if epoch > 1:
            loop.between_epochs()
        for block in feed.blocks(epoch):
            _, n_rows = loop.train_block(block)
            training.progress.advance(n_rows, n_rows)
    feed.close()
    return model


def _pair_loop(
    training: Training, model: keras.Model, options: GradientOptions, shards: Shards
) -> PairLoop:
    penalty = None
    if isinstance(options, FactorOptions) and options.row_l2:
        penalty = FactorPenalty(training.data.train, training.biases, options)
    return PairLoop(model, options, shards, penalty)


def _pair_feed(training: Training, options: GradientOptions, shards: list[Path]) -> Feed:
    assert training.devices is not None  # noqa: S101 - Keras computes on some
    seed = training.seed
    if training.device.cache == "off":
        return _deal(PairFeed(shards, batch_size=options.batch_size, seed=seed))
    device = training.devices.names[0]
    return _deal(CachedPairFeed(shards, batch_size=options.batch_size, seed=seed, device=device))


def _deal(feed: Feed) -> Feed:
    return feed if count_devices() == 1 else EvenFeed(feed, count_devices())
