"""Training by gradient steps: epochs over a materialized split, on one device or several."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import keras

from bigrec.datasets.pairs import PairFeed
from bigrec.datasets.recoding import recode_shards
from bigrec.datasets.training_data import Shards, TrainingData
from bigrec.datasets.user_rows import RowFeed
from bigrec.errors import SettingsError
from bigrec.measures import primary_measure
from bigrec.models.contract import TrainSubset
from bigrec.models.gradient_model import GradientModel, Start, StepPlan
from bigrec.models.options import GradientOptions, ModelOptions
from bigrec.models.scoring import Scorer
from bigrec.rows import Rows
from bigrec.run_records import EpochSummary
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
from bigrec.train.training import Fitted, Training
from bigrec.unfinished import CHECKPOINT


def fit_by_epochs(training: Training, model: GradientModel) -> Fitted:
    """Train a network to the end, from the start or from the checkpoint.

    Args:
        training: the training.
        model: what is trained.

    Raises:
        RunError: the training has diverged, or its checkpoint cannot be used.
        ResourceError: the memory of the devices does not suffice.
        TrainingInterrupted: Ctrl-C; what is needed to go on is saved.
    """
    assert training.devices is not None  # noqa: S101 - Keras computes on some
    keras.utils.set_random_seed(training.seed)
    n_train = training.data.train.n_ratings
    with (
        explaining_exhaustion(
            model, training.data.spec, training.options, training.devices,
            n_train=n_train, cache_bytes=cache_bytes(training.device, n_train),
        ),
        training.devices.scope(),
    ):  # fmt: skip
        return _fit(training, model, training.options)


def choose_devices_and_cache(
    data: TrainingData, model: GradientModel, options: ModelOptions, asked: DeviceOptions
) -> tuple[Devices, DeviceOptions]:
    """Where a network is trained; refuses what it cannot make use of.

    Returns:
        The devices, and the options with the cache device or off.

    Raises:
        SettingsError: early stopping on a split without a validation subset, a precision without a
            layer for it, several devices that cannot share its batches, or a cache of pairs for a
            model of rows.
        ResourceError: there are no such devices, or they are too small for the training.
    """
    assert isinstance(options, GradientOptions)  # noqa: S101 - as a GradientModel's are
    if options.patience and data.validation is None:
        raise SettingsError(
            f"patience={options.patience} stops by the error in a validation subset, and the split "
            f"{data.split!r} has none",
            hint="make a split with: bigrec split create NAME --validation-fraction 0.1",
        )
    devices = choose_devices(asked)
    plan = model.plan(options)
    if asked.precision != "float32" and not plan.has_dense_layers:
        raise SettingsError(
            f"--precision {asked.precision} is for dense layers, of which {model.name} has "
            "none with these settings",
            hint="leave it out: lookups and updates of rows are float32 in every model",
        )
    n_devices = len(devices.names)
    if n_devices > 1 and not plan.shares_batches:
        raise SettingsError(
            f"{model.name} with these settings trains on one device, found {n_devices}: its "
            "batches cannot be shared",
            hint="leave out --devices",
        )
    if options.batch_size % n_devices:
        even = options.batch_size // n_devices * n_devices or n_devices
        raise SettingsError(
            f"a batch of {options.batch_size:,} cannot be dealt out evenly to {n_devices} devices",
            hint=f"try --batch-size {even} or {even + n_devices}",
        )
    n_train = data.train.n_ratings
    chosen = choose_cache(model, data.spec, options, asked, devices, n_train=n_train)
    check_devices(
        model, data.spec, options, devices,
        n_train=n_train, cache_bytes=cache_bytes(chosen, n_train),
    )  # fmt: skip
    return devices, chosen


def _fit(training: Training, model: GradientModel, options: GradientOptions) -> Fitted:
    data, seed = training.data, training.seed
    plan = model.plan(options)
    policy = POLICIES[training.device.precision] if plan.has_dense_layers else "float32"
    network = model.build(data.spec, options, training.biases, policy)
    subset = TrainSubset(data.train, data.spec, training.biases)
    rows = subset.less_days()
    loop: Loop
    feed: Feed
    with ExitStack() as stack:
        if plan.loop == "codes":
            if plan.by_item:
                rows = rows.transposed(data.spec.n_items)
            loop = CodeLoop(
                network, training.options, rows, training.biases, training.budget.threads
            )
            feed = RowFeed(rows, batch_size=options.batch_size, seed=seed)
        elif plan.loop == "rows":
            loop = RowLoop(network, options, data.spec.n_items)
            feed = _deal(RowFeed(rows, batch_size=options.batch_size, seed=seed))
        else:
            shards = stack.enter_context(_shards(training, rows))
            # A resumed training has from its checkpoint what became of the start.
            if plan.start is not None and not training.resume:
                model.start_from(network, _train_start(training, plan.start, shards))
            loop = _pair_loop(training, network, options, plan, shards)
            feed = _pair_feed(training, options, shards.paths)
        stack.callback(feed.close)  # before its shards are removed
        return _run_epochs(training, network, model.scorer(network, subset), loop, feed, options)


def _run_epochs(
    training: Training,
    network: keras.Model,
    scorer: Scorer,
    loop: Loop,
    feed: Feed,
    options: GradientOptions,
) -> Fitted:
    data = training.data
    checkpoints = Checkpoints(training.folder / CHECKPOINT, loop.variables, training.checkpoints)
    state = checkpoints.restore() if training.resume else TrainingState()
    state.started = training.started
    with HistoryWriter(training.folder, state.history) as history:

        def end_epoch(epoch: EpochSummary) -> None:
            history.append(epoch)
            training.on_epoch(epoch)

        primary = primary_measure(training.model.objectives[0])
        fit = EpochFit(
            network, loop, feed, data.spec, options, lambda: training.measure(scorer), state,
            checkpoints, training.progress, end_epoch, primary,
        )  # fmt: skip
        measured = fit.run()
    return Fitted(scorer, state.history, fit.kept_epoch, measured, state.elapsed_seconds)


@contextmanager
def _shards(training: Training, rows: Rows) -> Iterator[Shards]:
    """The shuffled pairs, with the ratings of `rows`: the split's own unless days are taken off."""
    shards = training.data.shards()
    if training.biases.days is None:
        yield shards
        return
    folder = training.folder / "shuffled"
    shutil.rmtree(folder, ignore_errors=True)  # of a training that was killed
    try:
        yield recode_shards(shards, rows, folder, training.progress, budget=training.budget)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train_start(training: Training, start: Start, shards: Shards) -> keras.Model:
    """The trained network that another one starts from."""
    data = training.data
    batch_size = start.options.batch_size // count_devices() * count_devices()
    options = dataclasses.replace(start.options, batch_size=batch_size)
    network = start.model.build(data.spec, options, training.biases)
    loop = _pair_loop(training, network, options, start.model.plan(options), shards)
    feed = _pair_feed(training, options, shards.paths)
    for epoch in range(1, options.epochs + 1):
        loop.learning_rate_factor.assign(learning_rate_factor(options, epoch))
        training.progress.start(f"{start.task} {epoch}/{options.epochs}", feed.n_rows, "ratings")
        if epoch > 1:
            loop.between_epochs()
        for block in feed.blocks(epoch):
            _, n_rows = loop.train_block(block)
            training.progress.advance(n_rows, n_rows)
    feed.close()
    return network


def _pair_loop(
    training: Training,
    network: keras.Model,
    options: GradientOptions,
    plan: StepPlan,
    shards: Shards,
) -> PairLoop:
    penalty = None
    if plan.penalty is not None:
        penalty = FactorPenalty(
            training.data.train, training.biases, plan.penalty, training.budget.threads
        )
    return PairLoop(network, options, shards, penalty)


def _pair_feed(training: Training, options: GradientOptions, shards: list[Path]) -> Feed:
    assert training.devices is not None  # noqa: S101 - Keras computes on some
    seed = training.seed
    if training.device.cache == "off":
        return _deal(PairFeed(shards, batch_size=options.batch_size, seed=seed))
    device = training.devices.names[0]
    return _deal(CachedPairFeed(shards, batch_size=options.batch_size, seed=seed, device=device))


def _deal(feed: Feed) -> Feed:
    return feed if count_devices() == 1 else EvenFeed(feed, count_devices())
