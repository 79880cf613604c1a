"""The driver of epochs: what is counted, when it stops, whose weights it keeps."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.measures import RMSE
from bigrec.models.options import GradientOptions
from bigrec.models.scoring import Errors
from bigrec.resources import SILENT
from bigrec.rows import PAIRS, DataSpec
from bigrec.train.checkpoints import CheckpointOptions, Checkpoints, TrainingState
from bigrec.train.epochs import EpochFit
from bigrec.train.interrupts import TrainingInterrupted
from bigrec.train.schedule import learning_rate_factor
from bigrec.train.summary import Measured
from tests.support.runs import make_epoch

N_BLOCKS = 3


class CountingFeed:
    """Three blocks of two batches of four ratings."""

    n_rows = 8 * N_BLOCKS

    def close(self) -> None:
        """Nothing is read ahead."""

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Any]]:
        for number in range(first_block, N_BLOCKS):
            yield {PAIRS: tf.fill((2, 4), 10 * epoch + number)}


class AddingLoop:
    """Adds 1 to the model's only weight with every block; its error is the block's sum."""

    def __init__(self, model: keras.Model) -> None:
        self.weight = model.weights[0].value
        self.learning_rate_factor = tf.Variable(1.0)
        self.variables = [self.weight]
        self.factors: list[float] = []
        self.n_ended = 0
        self.prepared_at: list[float] = []

    def train_block(self, block: Mapping[str, Any]) -> tuple[float, int]:
        self.weight.assign_add(tf.ones_like(self.weight))
        self.factors.append(float(self.learning_rate_factor))
        return float(tf.reduce_sum(block[PAIRS])), int(tf.size(block[PAIRS]))

    def end_epoch(self) -> None:
        self.n_ended += 1

    def between_epochs(self) -> None:
        self.prepared_at.append(float(self.weight[0, 0]))


def errors_of(rmse: float) -> Errors:
    return Errors(rmse, 0.0, 1, 0, rmse, 0.0, (), ())


def make_model() -> keras.Model:
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    return keras.Model(inputs, layer(inputs))


MODEL = make_model()


def make_fit(
    path: Path, options: GradientOptions, validation: list[float] | None = None
) -> tuple[EpochFit, AddingLoop]:
    """A training whose validation errors are given; its test errors fall and rise at random."""
    MODEL.set_weights([np.zeros((1, 1))])
    loop, state = AddingLoop(MODEL), TrainingState()
    test = np.random.default_rng(0).uniform(size=1000)

    def measure() -> Measured:
        done = int(MODEL.get_weights()[0].item()) // N_BLOCKS
        errors = errors_of(test[done])
        if validation is None:
            return Measured(None, errors)
        return Measured(errors_of(validation[done - 1]), errors)

    checkpoints = Checkpoints(path, loop.variables, CheckpointOptions(minutes=None))
    spec = DataSpec(1, 1, 3.0, 1.0, 5.0)
    fit = EpochFit(
        MODEL, loop, CountingFeed(), spec, options, measure, state, checkpoints, SILENT,
        lambda _: None, RMSE,
    )  # fmt: skip
    return fit, loop


def naive_stopping(validation: list[float], patience: int) -> tuple[int, int]:
    """How many epochs are trained and which one is kept, by looking at the whole list."""
    n = len(validation)
    for done in range(1, n + 1):
        best = int(np.argmin(validation[:done])) + 1
        if done - best >= patience:
            n = done
            break
    return n, int(np.argmin(validation[:n])) + 1


@given(
    validation=st.lists(st.sampled_from([0.7, 0.8, 0.9, 1.0]), min_size=1, max_size=8),
    patience=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_early_stopping_keeps_the_best_epoch(
    validation: list[float], patience: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = GradientOptions(epochs=len(validation), patience=patience)
    fit, _ = make_fit(tmp_path_factory.getbasetemp() / "unused.npz", options, validation)
    measured = fit.run()
    n_epochs, kept = naive_stopping(validation, patience)
    assert len(fit.state.history) == n_epochs
    assert fit.kept_epoch == kept
    # The weight counts blocks: it is that of the kept epoch, and so are the errors.
    assert MODEL.get_weights()[0].item() == kept * N_BLOCKS
    assert measured.validation_measures is not None
    assert measured.validation_measures["rmse"] == validation[kept - 1]


def test_without_patience_validation_steers_nothing(tmp_path: Path) -> None:
    fit, _ = make_fit(tmp_path / "c.npz", GradientOptions(epochs=4), [0.7, 0.8, 0.9, 1.0])
    assert fit.run().validation == errors_of(1.0)
    assert fit.kept_epoch == len(fit.state.history) == 4
    assert [epoch.validation for epoch in fit.state.history] == [
        errors_of(rmse).measures for rmse in (0.7, 0.8, 0.9, 1.0)
    ]


def test_epochs_are_summed_up_from_their_blocks(tmp_path: Path) -> None:
    options = GradientOptions(epochs=3, schedule="exponential", decay=0.5, warmup=1)
    fit, loop = make_fit(tmp_path / "c.npz", options)
    fit.run()
    # The mean of blocks that say 10 e, 10 e + 1, 10 e + 2.
    assert [epoch.train_loss for epoch in fit.state.history] == [11, 21, 31]
    assert [epoch.epoch for epoch in fit.state.history] == [1, 2, 3]
    for epoch in fit.state.history:
        assert 0 <= epoch.input_wait_seconds <= epoch.seconds
        assert epoch.rows_per_second == pytest.approx(24 / epoch.seconds)
    expected = [learning_rate_factor(options, epoch) for epoch in (1, 2, 3) for _ in range(3)]
    assert loop.factors == expected == [0.5] * 3 + [1.0] * 3 + [0.5] * 3
    # Before the first block of every epoch but the first.
    assert loop.prepared_at == [N_BLOCKS, 2 * N_BLOCKS]


def test_the_end_of_an_epoch_is_not_repeated_after_a_stop_behind_it(tmp_path: Path) -> None:
    fit, loop = make_fit(tmp_path / "c.npz", GradientOptions(epochs=2))
    measure = fit.measure

    def interrupted() -> Measured:
        raise KeyboardInterrupt

    fit.measure = interrupted
    with pytest.raises(TrainingInterrupted, match="epoch 1 of 2"):
        fit.run()
    assert loop.n_ended == 1
    fit.state = fit.checkpoints.restore()
    fit.measure = measure
    fit.run()
    assert loop.n_ended == 2
    assert MODEL.get_weights()[0].item() == 2 * N_BLOCKS
    assert [epoch.train_loss for epoch in fit.state.history] == [11, 21]


def test_a_training_goes_on_from_the_middle_of_an_epoch(tmp_path: Path) -> None:
    fit, loop = make_fit(tmp_path / "c.npz", GradientOptions(epochs=2))
    first = make_epoch(1, 11.0, None, 0.5, 1.0, 24.0, 0.0)
    fit.state.history.append(first)
    fit.state.epoch, fit.state.n_blocks = 2, 2
    fit.state.squares, fit.state.n_rows = 16 * 20.5, 16
    fit.run()
    assert MODEL.get_weights()[0].item() == 1
    assert not loop.prepared_at
    assert fit.state.history[0] == first
    assert fit.state.history[1].train_loss == pytest.approx((20 + 21 + 22) / 3)


class Block(dict[str, Any]):
    """A block that can be referred to weakly."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class LongFeed(CountingFeed):
    """Two hundred blocks, counting how many of them are alive at once."""

    n_rows = 8 * 200
    most_alive = 0

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[dict[str, Any]]:
        alive: weakref.WeakSet[Block] = weakref.WeakSet()
        for _ in range(200):
            block = Block({PAIRS: np.ones((2, 4), np.int64)})
            alive.add(block)
            self.most_alive = max(self.most_alive, len(alive))
            yield block
            del block


def test_memory_does_not_grow_with_the_number_of_blocks(tmp_path: Path) -> None:
    fit, _ = make_fit(tmp_path / "c.npz", GradientOptions(epochs=1))
    fit.feed = feed = LongFeed()
    fit.measure = lambda: Measured(None, errors_of(1.0))
    fit.run()
    assert fit.state.history[0].train_loss == 1
    assert feed.most_alive <= 2
